//! The repository against the real programs: gpg, repo-add, repo-remove, pacman, makepkg; hostile uploads; the
//! process ended at every step.

mod by_hand;
mod changes;
mod check;
mod crash;
mod fixture;
mod full_disk;
mod keeping;
mod mend;
mod programs;
mod publish;
mod readers;
mod refusals;
mod signing;
