use std::process::ExitCode;

use profile_export::Error;

/// The job failed.
const FAILED: u8 = 1;
/// Wrong usage or a bad request.
pub const USAGE: u8 = 2;
/// Interrupted.
const INTERRUPTED: u8 = 130;

/// Why the program ends without success: an exit code and a message.
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            message: message.into(),
        }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            code: FAILED,
            message: message.into(),
        }
    }

    pub fn is_interrupt(&self) -> bool {
        self.code == INTERRUPTED
    }

    pub fn is_usage(&self) -> bool {
        self.code == USAGE
    }

    /// Says the message on standard error and gives the exit code.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("profile-export: {}", self.message);
        }
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: if error.is_cancelled() {
                INTERRUPTED
            } else if error.is_refusal() {
                USAGE
            } else {
                FAILED
            },
            message: error.to_string(),
        }
    }
}

impl From<profile_export::StoreError> for Failure {
    fn from(error: profile_export::StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<profile_export::RequestError> for Failure {
    fn from(error: profile_export::RequestError) -> Self {
        Error::from(error).into()
    }
}
