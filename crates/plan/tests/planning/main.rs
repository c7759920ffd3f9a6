//! What a plan says, and in which order it is carried out.

mod kinds;
mod ordering;
mod verdicts;
