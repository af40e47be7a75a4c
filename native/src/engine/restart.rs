//! A process death without a process that dies: tests restart an engine over the store it has.

use super::Engine;
use crate::error::{Code, Error, Result};
use crate::protocol::CommandResult;

impl Engine {
    /// Only an engine without a thread has nobody but its host: others may be in the middle of a call.
    pub(super) fn want_restart(&mut self) -> Result<CommandResult<'static>> {
        if self.about["inline"] != true {
            return Err(Error::new(Code::RequestInvalid, "only an engine that was opened `inline` is restarted"));
        }
        self.restarts = true;
        Ok(CommandResult::Done)
    }

    /// Whether a request that was committed asks for a restart.
    pub fn wants_restart(&self) -> bool {
        self.restarts
    }

    /// The engine as the next process finds it: what is stored, and nothing else.
    pub fn restarted(self) -> Result<Engine> {
        Engine::over(self.store, self.node, self.secret, self.about)
    }
}
