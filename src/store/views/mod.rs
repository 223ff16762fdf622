//! What people's views read, one file each.

mod attachments;
mod desk_mark;
mod inbox;
mod lists;
mod may_see;
mod page_lists;
mod read_marks;
mod search;
mod statistics;
mod thread_page;

pub use attachments::{AttachmentItem, StoredMail};
pub use desk_mark::DeskMark;
pub use inbox::{InboxAsk, InboxCounts, InboxPlace, InboxRow, InboxState};
pub use lists::{LeadAsk, LeadItem, LeadThread, MailItem, MessageAsk, MessageItem};
pub use page_lists::{CaptureTime, LeadLine, ThreadRef};
pub use search::{Hit, MOST_HITS, pieces};
pub use statistics::{Capture, Counts, DayCounts, Quantiles, Statistics, StatisticsAsk};
pub use thread_page::{ThreadHead, ThreadLine, ThreadMail, ThreadOurs, ThreadPage, ThreadPart};
