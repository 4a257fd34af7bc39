//! What an invocation can be asked to do.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Plan,
    RenderChunk,
    Assemble,
    Probe,
    Notify,
}

impl Action {
    pub(crate) const ALL: [Self; 5] =
        [Self::Plan, Self::RenderChunk, Self::Assemble, Self::Probe, Self::Notify];

    /// As events, answers and logs have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::RenderChunk => "renderChunk",
            Self::Assemble => "assemble",
            Self::Probe => "probe",
            Self::Notify => "notify",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}
