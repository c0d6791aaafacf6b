//! The console of the Caur build farm.
//!
//! [`app`] holds what is known and what keys do, without I/O; [`screen`] has a folder for each view, [`overlay`] what
//! lies over them; [`view`] draws what they share; [`runtime`] ties all to the terminal and to a [`backend`].

#![warn(clippy::unwrap_used)]

pub mod app;
pub mod backend;
pub mod console;
mod date;
pub mod diary;
mod files;
pub mod filter;
pub mod first_start;
mod input;
pub mod keymap;
pub mod log;
pub mod msg;
pub mod operation;
pub mod options;
pub mod overlay;
mod printable;
pub mod profile;
pub mod question;
mod recall;
pub mod runtime;
pub mod screen;
pub mod settings;
mod size;
mod span;
pub mod state_folder;
pub mod table;
pub mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod theme;
pub mod view;
