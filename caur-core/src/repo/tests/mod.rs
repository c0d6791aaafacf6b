//! The repository against the real programs: gpg, repo-add, repo-remove, pacman, makepkg; hostile uploads; the
//! process ended at every step.

mod check;
mod crash;
mod fixture;
mod programs;
mod publish;
mod refusals;
mod signing;
