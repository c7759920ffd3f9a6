//! What a platform is made of: the configuration, and the resources that follow from it.

pub mod config;
