//! The one place that draws randomness: once, at the start of a process.

/// What one process draws from the system. `Debug` shows none of it.
#[derive(Clone)]
pub struct Dice {
    /// Names this start of the process in Call-IDs and public references.
    pub boot: u64,
    /// Seeds whatever looks random in the machines.
    pub seed: u64,
    /// What an installation's id and secret are made of, used when its row does not exist yet.
    pub installation: [u8; 48],
}

impl Dice {
    /// Draws everything.
    ///
    /// # Errors
    /// The system's generator failed (no `/dev/urandom` in a chroot, a seccomp filter): nothing may be dialed without it.
    pub fn throw() -> Result<Self, DiceError> {
        let mut installation = [0_u8; 48];
        getrandom::fill(&mut installation).map_err(DiceError)?;
        Ok(Self {
            boot: getrandom::u64().map_err(DiceError)?,
            seed: getrandom::u64().map_err(DiceError)?,
            installation,
        })
    }
}

impl std::fmt::Debug for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dice").finish_non_exhaustive()
    }
}

/// The system gave no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers ({0}): Call-IDs could repeat, so nothing is dialed")]
pub struct DiceError(getrandom::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_throws_differ_and_show_nothing() {
        let (one, two) = (Dice::throw().unwrap(), Dice::throw().unwrap());
        assert_ne!((one.boot, one.installation), (two.boot, two.installation));
        assert_eq!(format!("{one:?}"), "Dice { .. }");
    }
}
