//! What an invocation can be asked to do.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Plan,
    RenderChunk,
    Assemble,
}

impl Action {
    pub(crate) const ALL: [Self; 3] = [Self::Plan, Self::RenderChunk, Self::Assemble];

    /// As events, answers and logs have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::RenderChunk => "renderChunk",
            Self::Assemble => "assemble",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}
