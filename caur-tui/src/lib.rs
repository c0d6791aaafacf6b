//! The console of the Caur build farm.
//!
//! [`app`] holds what is known and what keys do, without I/O; [`screen`] has a folder for each view, [`overlay`] what
//! lies over them; [`view`] draws what they share; [`runtime`] ties all to the terminal and to a [`backend`].

#![warn(clippy::unwrap_used)]

mod ansi;
pub mod app;
pub mod backend;
pub mod diary;
mod files;
pub mod filter;
mod input;
pub mod keymap;
mod log_model;
mod log_pane;
pub mod msg;
pub mod operation;
pub mod options;
pub mod overlay;
mod printable;
pub mod question;
mod recall;
pub mod runtime;
pub mod screen;
mod sgr;
mod size;
mod span;
pub mod table;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod theme;
pub mod view;
