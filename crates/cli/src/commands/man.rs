//! `man`: the manual pages, made from the same words as `--help`.

use crate::{
    args::{Cli, ManArgs},
    exit::Exit,
    render::Printer,
};
use anyhow::{Context, Result};
use clap::CommandFactory;

pub(crate) fn run(args: &ManArgs, printer: &Printer) -> Result<Exit> {
    let command = Cli::command();
    match &args.out {
        Some(folder) => {
            fs_err::create_dir_all(folder)?;
            clap_mangen::generate_to(command, folder).context("cannot write the manual pages")?;
            printer.note(&format!("Written to {}; `man -l` shows them.", folder.display()));
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).context("cannot make the manual page")?;
            printer.result(String::from_utf8_lossy(&page).trim_end());
        }
    }
    Ok(Exit::Done)
}
