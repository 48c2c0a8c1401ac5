//! Forms that are carried out once, however often they are sent: a browser sends one again when a person clicks twice or reloads.
//!
//! Each form has a number that was made for it. The first time that the number comes back, its work begins, in a task that the
//! browser cannot end; every other time the answer is that of the first. A number that is not known begins nothing: the form is
//! older than the last [`MOST`], or of another process.

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

/// Where a form leads, or why nothing was done.
pub(in crate::console) type Reply = Result<String, Problem>;
type Under = Shared<BoxFuture<'static, Reply>>;

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

    /// The answer to a form that was sent before.
    pub(in crate::console) async fn sent_before(&self, number: &str) -> Option<Reply> {
        let under = self.0.lock().iter().find(|(known, _)| known == number).and_then(|(_, under)| under.clone());
        Some(under?.await)
    }

    /// Begins what a form asks for, unless it has been begun; and waits for the answer.
    pub(in crate::console) async fn once(
        &self,
        number: &str,
        tasks: &TaskTracker,
        work: impl Future<Output = Reply> + Send + 'static,
    ) -> Reply {
        let under = {
            let mut forms = self.0.lock();
            match forms.iter_mut().find(|(known, _)| known == number) {
                None => None,
                Some((_, Some(under))) => Some(under.clone()),
                Some((_, under)) => {
                    let task = tasks.spawn(work);
                    let reply = task.map(|ended| ended.unwrap_or_else(|_| Err(broken()))).boxed().shared();
                    Some(under.insert(reply).clone())
                }
            }
        };
        match under {
            Some(under) => under.await,
            None => Err(Problem::new(
                StatusCode::CONFLICT,
                "Not done",
                "The form is too old. Go back, load the page again and send it once more.",
            )),
        }
    }
}

fn broken() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Not known",
        "The work broke down. The list of calls has what was done.",
    )
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
        assert_eq!(forms.sent_before(&number).await, None);
        let (first, second) = tokio::join!(forms.once(&number, &tasks, work()), forms.once(&number, &tasks, work()));
        assert_eq!(
            (first.unwrap(), second.unwrap(), times.load(Relaxed)),
            ("/calls/0".to_owned(), "/calls/0".to_owned(), 1)
        );
        assert_eq!(forms.sent_before(&number).await.unwrap().unwrap(), "/calls/0");
        assert!(forms.once("another", &tasks, work()).await.is_err());
        assert!(forms.once("", &tasks, work()).await.is_err());
        assert_eq!(times.load(Relaxed), 1);
    }

    #[tokio::test]
    async fn old_forms_are_forgotten() {
        let forms = Forms::default();
        let first = forms.number();
        for _ in 0..MOST {
            forms.number();
        }
        let begun = forms.once(&first, &TaskTracker::new(), async { Ok(String::new()) }).await;
        assert_eq!(begun.unwrap_err().status, StatusCode::CONFLICT);
    }
}
