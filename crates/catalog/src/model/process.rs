//! The process that a run runs in, and whether it is still there.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process, told from every other, also of another container, and from those that had its number before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunProcess {
    /// The host's name; empty where it cannot be told.
    pub host: String,
    /// The process's id.
    pub process_id: u32,
    /// The boot of the machine and the name space of process ids in which the id means something; empty where that
    /// cannot be told: then only the heartbeat tells whether the process lives.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub machine: String,
    /// When the process began, in the clock ticks of `/proc/PID/stat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<u64>,
}

impl RunProcess {
    /// The process that asks.
    pub fn this() -> Self {
        let process_id = std::process::id();
        Self {
            host: host(),
            process_id,
            machine: machine().unwrap_or_default(),
            began: began(process_id),
        }
    }

    /// Whether the process is known to be gone: it ran on this machine since it was started last, and here it is no more.
    pub fn is_gone(&self) -> bool {
        // Without a time of its own, a process cannot be looked for: /proc may not be mounted, or be another system's.
        let (false, Some(then)) = (self.machine.is_empty(), self.began) else {
            return false;
        };
        machine().as_deref() == Some(self.machine.as_str()) && began(self.process_id) != Some(then)
    }
}

fn host() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok());
    name.unwrap_or_default().trim().to_owned()
}

/// Linux: the id of this boot (`random(4)`), and the name space of process ids (`pid_namespaces(7)`).
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.display()))
}

/// Linux: the time at which a process began, field 22 of `/proc/PID/stat` (`proc_pid_stat(5)`). `None` if there is no
/// such process, or it has ended and only waits for its parent to ask.
fn began(process_id: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process_id}/stat")).ok()?;
    // The command, in parentheses, may hold anything, parentheses too.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::RunProcess;

    #[test]
    fn this_process_is_there() {
        let this = RunProcess::this();
        assert_eq!(this.process_id, std::process::id());
        assert!(!this.is_gone());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_ended_is_gone_and_so_is_one_whose_number_another_has() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let alive = RunProcess {
            process_id: child.id(),
            began: super::began(child.id()),
            ..RunProcess::this()
        };
        assert!(alive.began.is_some() && !alive.is_gone());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(alive.is_gone());

        let this = RunProcess::this();
        let before = RunProcess {
            began: this.began.map(|then| then - 1),
            ..this.clone()
        };
        assert!(before.is_gone());
        // Of another machine nothing is known.
        let elsewhere = RunProcess {
            machine: "another".into(),
            ..alive
        };
        assert!(!elsewhere.is_gone());
    }
}
