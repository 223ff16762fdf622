//! What people's views read, one file each.

mod inbox;
mod page_lists;
mod read_marks;
mod search;
mod thread_page;

pub use inbox::{InboxAsk, InboxCounts, InboxPlace, InboxRow, InboxState};
pub use page_lists::{CaptureTime, LeadLine, ThreadRef};
pub use search::{Hit, MOST_HITS, pieces};
pub use thread_page::{ThreadHead, ThreadLine, ThreadMail, ThreadOurs, ThreadPage};
