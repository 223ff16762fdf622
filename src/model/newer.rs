//! What came after a reply.

/// What newer replies of the lead, which were decided already, came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newer {
    /// There is one in the same conversation.
    pub decided: bool,
    /// One, in whichever campaign, wants something: it ended a pause.
    pub wants: bool,
    /// One, in whichever campaign, asks for later, says no, or says that its writer is away.
    pub waits: bool,
}
