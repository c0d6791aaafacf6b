//! The repository against the real programs: gpg, repo-add, repo-remove, pacman, makepkg; hostile uploads; the
//! process ended at every step.

mod ambiguous;
mod archives;
mod by_hand;
mod crash;
mod entries;
mod fixture;
mod fuzz;
mod hostile;
mod policy;
mod programs;
mod publish;
mod raw;
mod refusals;
mod signing;
