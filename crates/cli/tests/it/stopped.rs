//! A command that waits in the middle of its work, for others to come between.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::shim::{self, Call, Class, Fault, What};

pub struct Stopped(Child);

impl Stopped {
    /// Runs a command until it is about to make a call of this kind at such a path below `root` for the first time, and
    /// stops it there. `calls` are those of the same command where it runs to its end.
    pub fn start(
        mut command: Command,
        root: &Path,
        calls: &[Call],
        (class, path): (Class, &str),
    ) -> Self {
        let at = |path_of: &Path| path_of.to_string_lossy().contains(path);
        let mut of_class = calls.iter().filter(|call| call.class == class);
        let before = of_class.position(|call| at(&call.path) || call.to.as_deref().is_some_and(at));
        let fault = Fault {
            class,
            number: before.unwrap() as u64 + 1,
            what: What::Stopped,
            and_all_later: false,
        };
        shim::watch(&mut command, root, Some(fault), None);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let stopped = Self(command.spawn().unwrap());
        let stat = format!("/proc/{}/stat", stopped.0.id());
        let start = Instant::now();
        while !fs::read_to_string(&stat).unwrap().contains(") T ") {
            assert!(start.elapsed() < Duration::from_secs(60), "it did not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
        stopped
    }

    pub fn go_on(self) -> Output {
        let id = self.0.id().to_string();
        let gone_on = Command::new("kill").args(["-CONT", &id]).status();
        assert!(gone_on.unwrap().success());
        self.0.wait_with_output().unwrap()
    }

    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
