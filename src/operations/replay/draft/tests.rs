//! Which calls may be made again, and what they become, without an Odoo.

use serde_json::json;

use super::*;
use crate::{log::State, operations::recorded::Recorded};

async fn draft(recorded: &Recorded, id: Uuid, options: &Options) -> Result<Draft, NotReplayable> {
    let calls = recorded.calls();
    let call = calls.one(&id.to_string()).await.unwrap();
    Draft::of(&calls, &call, &recorded.config, options).await
}

async fn replay(recorded: &Recorded, id: Uuid, options: &Options) -> Result<ReplayRequest, NotReplayable> {
    draft(recorded, id, options)
        .await?
        .ready(&recorded.config, options, Operator::on_command_line("tester"))
        .map(|replay| replay.request)
}

fn payload(name: &str) -> Value {
    json!({"payload": {"name": name}})
}

#[tokio::test]
async fn a_failed_call_is_made_again_as_the_client_that_made_it() {
    let recorded = Recorded::new();
    let failed = recorded.call(State::Failed).await;
    let again = replay(&recorded, failed, &Options::default()).await.unwrap();
    assert_eq!((again.of, again.route.name(), again.model.as_str()), (Some(failed), "create_data", "res.partner"));
    assert_eq!((again.vals, again.client.as_deref(), again.is_hidden), (payload("x"), Some("webshop"), false));
}

#[tokio::test]
async fn what_was_done_or_may_have_been_is_made_again_by_force_only() {
    let mut recorded = Recorded::new();
    let done = recorded.call(State::Done).await;
    let (in_doubt, _) = recorded.begin(Some("webshop"), payload("x"), None).await;
    let repeated = recorded.call(State::Failed).await;
    let repetition = recorded.call_with(Some("webshop"), payload("x"), Some(repeated), State::Done).await;
    let free = Options::default();
    let running = replay(&recorded, in_doubt, &Options { force: true, ..Options::default() }).await;
    assert!(matches!(running, Err(NotReplayable::Running)));
    recorded.restart().await;
    assert!(matches!(replay(&recorded, done, &free).await, Err(NotReplayable::Done)));
    assert!(matches!(replay(&recorded, in_doubt, &free).await, Err(NotReplayable::InDoubt)));
    assert!(matches!(replay(&recorded, repeated, &free).await, Err(NotReplayable::Repeated)));
    assert!(matches!(replay(&recorded, repetition, &free).await, Err(NotReplayable::Done)));
    let forced = Options { force: true, ..Options::default() };
    for (id, root) in [(done, done), (in_doubt, in_doubt), (repeated, repeated), (repetition, repeated)] {
        assert_eq!(replay(&recorded, id, &forced).await.unwrap().of, Some(root));
    }
}

#[tokio::test]
async fn a_repetition_in_doubt_keeps_its_call_from_being_made_again() {
    let recorded = Recorded::new();
    let failed = recorded.call(State::Failed).await;
    let repetition = recorded.call_with(Some("webshop"), payload("x"), Some(failed), State::InDoubt).await;
    for id in [failed, repetition] {
        assert!(matches!(replay(&recorded, id, &Options::default()).await, Err(NotReplayable::InDoubt)));
    }
}

#[tokio::test]
async fn a_dry_run_needs_no_force_and_repeats_nothing() {
    let recorded = Recorded::new();
    let done = recorded.call(State::Done).await;
    let dry = Options { dry_run: true, ..Options::default() };
    let again = replay(&recorded, done, &dry).await.unwrap();
    assert_eq!((again.of, &again.vals["dry_run"]), (None, &json!(true)));
    let vals = json!({"payload": {}, "dry_run": true});
    let was_dry = recorded.call_with(Some("webshop"), vals, None, State::Failed).await;
    assert!(matches!(replay(&recorded, was_dry, &Options::default()).await, Err(NotReplayable::DryRun)));
    assert!(replay(&recorded, was_dry, &dry).await.is_ok());
}

#[tokio::test]
async fn whose_credential_is_used_must_be_known() {
    let recorded = Recorded::new();
    let own = recorded.call_with(None, payload("x"), None, State::Failed).await;
    let gone = recorded.call_with(Some("gone"), payload("x"), None, State::Failed).await;
    let as_recorded = Options::default();
    assert!(matches!(replay(&recorded, own, &as_recorded).await, Err(NotReplayable::WhoseCredential)));
    let unknown = replay(&recorded, gone, &as_recorded).await;
    assert!(matches!(unknown, Err(NotReplayable::UnknownClient(name)) if name == "gone"));
    for (actor, client, headers) in [
        (Actor::Client("webshop".to_owned()), Some("webshop"), 0),
        (Actor::login("demo", "secret"), None, 1),
        (Actor::key("secret"), None, 1),
    ] {
        let again = replay(&recorded, own, &Options { actor, ..Options::default() }).await.unwrap();
        assert_eq!((again.client.as_deref(), again.headers.len()), (client, headers));
    }
}

#[tokio::test]
async fn what_was_hidden_is_told_and_may_be_given_anew() {
    let recorded = Recorded::new();
    let vals = json!({"payload": {"name": "x", "password": "s3cret"}});
    let failed = recorded.call_with(Some("webshop"), vals, None, State::Failed).await;
    let again = replay(&recorded, failed, &Options::default()).await.unwrap();
    assert_eq!((&again.vals["payload"]["password"], again.is_hidden), (&json!("***"), true));
    let options = Options { is_edited: true, ..Options::default() };
    let mut draft = draft(&recorded, failed, &options).await.unwrap();
    draft.edit(json!({"name": "y"})).unwrap();
    assert!(draft.edit(json!(["y"])).is_err());
    assert_eq!(
        draft.ready(&recorded.config, &options, Operator::on_command_line("tester")).unwrap().request.vals,
        payload("y")
    );
}

#[tokio::test]
async fn a_request_that_was_passed_on_is_not_made_again() {
    let recorded = Recorded::new();
    let passed = recorded.pass().await;
    let forced = Options { force: true, ..Options::default() };
    assert!(matches!(replay(&recorded, passed, &forced).await, Err(NotReplayable::Passed)));
}
