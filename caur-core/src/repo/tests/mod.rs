//! The repository against the real programs: gpg, repo-add, repo-remove, pacman, makepkg; hostile uploads; the
//! process ended at every step.

mod ambiguous;
mod archives;
mod by_hand;
mod changes;
mod check;
mod crash;
mod entries;
mod fixture;
mod full_disk;
mod fuzz;
mod hostile;
mod keeping;
mod mend;
mod moves;
mod policy;
mod programs;
mod publish;
mod raw;
mod readers;
mod refusals;
mod signing;
