//! Who builds: farms of equal and of mixed builders.

use std::fmt;

use caur_core::model::{BuildClass, BuilderName};
use caur_core::queue::policy::NORMAL_SPEED;
use caur_core::queue::simulate::OnlineBuilder;
use rand::RngExt;
use rand::rngs::StdRng;

/// A kind of farm, with the jobs that suit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farms {
    /// All builders and all jobs alike.
    Equal,
    /// Half of the builders have class 1, a quarter each 2 and 3; of the jobs 15 % need class 2, 5 % class 3, and
    /// 1 % the first builder.
    Classes,
    /// As [`Farms::Classes`], at speeds from half to double.
    ClassesAndSpeeds,
}

/// What the farm knows of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Estimates that err by a factor with a logarithmic deviation of 0.25.
    Learned,
    /// Nothing.
    Cold,
}

impl Farms {
    /// That many builders.
    ///
    /// # Panics
    /// Never: their names are valid.
    #[must_use]
    pub fn builders(self, count: usize) -> Vec<OnlineBuilder> {
        (0..count)
            .map(|index| OnlineBuilder {
                name: BuilderName::new(format!("builder-{index}")).expect("a valid name"),
                class: Some(match self {
                    Self::Equal => 1,
                    Self::Classes | Self::ClassesAndSpeeds => [3, 1, 2, 1][index % 4],
                }),
                slots: 1,
                speed: match self {
                    Self::Equal | Self::Classes => NORMAL_SPEED,
                    Self::ClassesAndSpeeds => NORMAL_SPEED * [4, 2, 8, 6, 3][index % 5] / 4,
                },
            })
            .collect()
    }

    /// A job's class by chance.
    pub(super) fn class(self, builders: &[OnlineBuilder], random: &mut StdRng) -> BuildClass {
        let chance: f64 = random.random();
        match self {
            Self::Equal => BuildClass::DEFAULT,
            Self::Classes | Self::ClassesAndSpeeds if chance < 0.01 => {
                BuildClass::Builder(builders[0].name.clone())
            }
            Self::Classes | Self::ClassesAndSpeeds if chance < 0.06 => BuildClass::Number(3),
            Self::Classes | Self::ClassesAndSpeeds if chance < 0.21 => BuildClass::Number(2),
            Self::Classes | Self::ClassesAndSpeeds => BuildClass::DEFAULT,
        }
    }
}

impl fmt::Display for Farms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Equal => "equal builders",
            Self::Classes => "classes 1 to 3",
            Self::ClassesAndSpeeds => "classes 1 to 3, speeds 0.5 to 2",
        })
    }
}
