//! Builds against a real container engine and real git repositories.
//!
//! `CAUR_DOCKER_SOCKET` names the engine's socket and `CAUR_TEST_IMAGE` the image that the tests' own is made
//! from; `scripts/test` sets both.

mod adoption;
mod containers;
mod farm;
mod images;
mod outcomes;
mod packages;
mod quiet;
mod sources;
mod together;
