//! What the process tells its caller.

use std::process::{ExitCode, Termination};

/// How a command ended. The numbers are part of the interface: cron jobs, systemd units and
/// scripts branch on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: every account was looked at, whatever waits for people.
    Done,
    /// 1: anything that no other code names.
    Failed,
    /// 2: an account needs sign-in; for `status`: a person is needed.
    NeedsPerson,
    /// 64 (`EX_USAGE` of sysexits.h): bad settings or flags. systemd does not restart on it.
    Usage,
    /// 75 (`EX_TEMPFAIL`): a server could not be reached, or is not to be tried yet.
    TryLater,
}

impl Exit {
    /// Every code, mildest first.
    pub const ALL: [Self; 5] = [
        Self::Done,
        Self::TryLater,
        Self::NeedsPerson,
        Self::Usage,
        Self::Failed,
    ];

    /// The number that the caller sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::NeedsPerson => 2,
            Self::Usage => 64,
            Self::TryLater => 75,
        }
    }

    /// The graver of two outcomes, for a command that looks at several accounts. An account
    /// that needs a person outweighs one that only has to be tried later: the first does not
    /// heal by itself.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |e: Self| Self::ALL.iter().position(|x| *x == e);
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_numbers() {
        let codes: Vec<(Exit, u8)> = Exit::ALL.iter().map(|e| (*e, e.code())).collect();
        assert_eq!(
            codes,
            [
                (Exit::Done, 0),
                (Exit::TryLater, 75),
                (Exit::NeedsPerson, 2),
                (Exit::Usage, 64),
                (Exit::Failed, 1),
            ]
        );
    }

    #[test]
    fn the_graver_outcome_wins_whatever_the_order() {
        assert_eq!(Exit::TryLater.worse(Exit::NeedsPerson), Exit::NeedsPerson);
        assert_eq!(Exit::NeedsPerson.worse(Exit::TryLater), Exit::NeedsPerson);
        assert_eq!(Exit::Done.worse(Exit::Done), Exit::Done);
        assert_eq!(Exit::Failed.worse(Exit::TryLater), Exit::Failed);
    }
}
