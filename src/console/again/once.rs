//! Forms that are carried out once, however often they are sent: a browser sends one again when a person clicks twice or reloads.
//!
//! Each form has a number that was made for it. The first time that the number comes back, its work begins, in a task that the
//! browser cannot end; every other time the answer is that of the first. A number that is not known begins nothing: the form is
//! older than the last [`MOST`], or of another process. A form that is refused for what is in it is not spent.

use std::collections::VecDeque;

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use http::StatusCode;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::{console::session::random, web::Problem};

/// As many forms are remembered.
const MOST: usize = 1000;

/// Where a form leads, or why it leads nowhere.
pub(in crate::console) type Reply = Result<String, Refused>;
type Under = Shared<BoxFuture<'static, Reply>>;

/// Why a form has not done what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) enum Refused {
    /// Nothing was done, for this reason. The form can be changed and sent again.
    Words(String),
    /// The form is spent.
    Problem(Problem),
}

#[derive(Default)]
pub(in crate::console) struct Forms(Mutex<VecDeque<(String, Option<Under>)>>);

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Forms({})", self.0.lock().len())
    }
}

impl Forms {
    /// A number for a new form; empty, which is never taken, where this system gives no random numbers.
    pub(in crate::console) fn number(&self) -> String {
        let Some(number) = random() else { return String::new() };
        let mut forms = self.0.lock();
        forms.push_back((number.clone(), None));
        while forms.len() > MOST {
            forms.pop_front();
        }
        number
    }

    /// Begins what a form asks for, unless it has been begun; and waits for the answer.
    pub(in crate::console) async fn once(
        &self,
        number: &str,
        tasks: &TaskTracker,
        work: impl Future<Output = Reply> + Send + 'static,
    ) -> Reply {
        let Some(under) = self.begun(number, tasks, work) else {
            let words = "The form is too old. Go back, load the page again and send it once more.";
            return Err(Refused::Problem(Problem::new(StatusCode::CONFLICT, "Not done", words)));
        };
        let reply = under.clone().await;
        if matches!(reply, Err(Refused::Words(_))) {
            self.free(number, &under);
        }
        reply
    }

    fn begun(
        &self,
        number: &str,
        tasks: &TaskTracker,
        work: impl Future<Output = Reply> + Send + 'static,
    ) -> Option<Under> {
        let mut forms = self.0.lock();
        let (_, under) = forms.iter_mut().find(|(known, _)| known == number)?;
        let under = under.get_or_insert_with(|| {
            let task = tasks.spawn(work);
            task.map(|ended| ended.unwrap_or_else(|_| Err(broken()))).boxed().shared()
        });
        Some(under.clone())
    }

    /// The form may come again, unless that has happened.
    fn free(&self, number: &str, ended: &Under) {
        let mut forms = self.0.lock();
        let form = forms.iter_mut().find(|(known, _)| known == number);
        if let Some((_, under)) = form
            && under.as_ref().is_some_and(|under| under.ptr_eq(ended))
        {
            *under = None;
        }
    }
}

fn broken() -> Refused {
    let words = "The work broke down. The list of calls has what was done.";
    Refused::Problem(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Not known", words))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use super::*;

    #[tokio::test]
    async fn a_form_is_carried_out_once_and_one_that_is_not_known_never() {
        let (forms, tasks, times) = (Forms::default(), TaskTracker::new(), Arc::<AtomicUsize>::default());
        let number = forms.number();
        let work = || {
            let times = times.clone();
            async move {
                tokio::task::yield_now().await;
                Ok(format!("/calls/{}", times.fetch_add(1, Relaxed)))
            }
        };
        let (first, second) = tokio::join!(forms.once(&number, &tasks, work()), forms.once(&number, &tasks, work()));
        assert_eq!(
            (first.unwrap(), second.unwrap(), times.load(Relaxed)),
            ("/calls/0".to_owned(), "/calls/0".to_owned(), 1)
        );
        assert_eq!(forms.once(&number, &tasks, work()).await.unwrap(), "/calls/0");
        assert!(forms.once("another", &tasks, work()).await.is_err());
        assert!(forms.once("", &tasks, work()).await.is_err());
        assert_eq!(times.load(Relaxed), 1);
    }

    #[tokio::test]
    async fn a_form_that_did_nothing_can_be_sent_again() {
        let (forms, tasks) = (Forms::default(), TaskTracker::new());
        let number = forms.number();
        let refused = Err(Refused::Words("Tick the box.".to_owned()));
        let again = refused.clone();
        assert_eq!(forms.once(&number, &tasks, async { again }).await, refused);
        assert_eq!(forms.once(&number, &tasks, async { Ok("/calls".to_owned()) }).await, Ok("/calls".to_owned()));
        assert_eq!(forms.once(&number, &tasks, async { refused }).await, Ok("/calls".to_owned()));
    }

    #[tokio::test]
    async fn old_forms_are_forgotten() {
        let forms = Forms::default();
        let first = forms.number();
        for _ in 0..MOST {
            forms.number();
        }
        let begun = forms.once(&first, &TaskTracker::new(), async { Ok(String::new()) }).await;
        assert!(matches!(begun, Err(Refused::Problem(problem)) if problem.status == StatusCode::CONFLICT));
    }
}
