//! (stand-in, dropped at the merge)
use crate::keys::Keys;
/// Stand-in.
#[derive(Debug, Clone)]
pub struct MsgId(String);
impl MsgId {
    /// Stand-in.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl std::fmt::Display for MsgId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
/// Stand-in.
pub fn mint(_keys: &Keys, domain: &str, random: [u8; 16]) -> MsgId {
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    MsgId(format!("{hex}@{domain}"))
}
