//! Issues and tickets: GitHub, GitLab and Zendesk.

use serde_json::json;

use super::{Sender, now};

/// docs.github.com, "Webhook events and payloads: Delivery headers".
fn by_github<'a>(event: &'a str, delivery: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("X-GitHub-Delivery", delivery),
        ("X-GitHub-Event", event),
        ("X-GitHub-Hook-ID", "292430182"),
        ("X-GitHub-Hook-Installation-Target-ID", "79929171"),
        ("X-GitHub-Hook-Installation-Target-Type", "repository"),
        ("User-Agent", "GitHub-Hookshot/044aadd"),
    ]
}

#[tokio::test]
async fn an_issue_of_github_is_one_lead_sent_as_json_or_as_a_form() {
    let sender = Sender::of("github").await;
    let (body, mut event) = (sender.body.clone(), sender.json());
    let key = "Codertocat/Hello-World#1";
    sender.refuses_others(&by_github("issues", "d1"), &body).await;
    let ping = json!({"zen": "Design for failure.", "hook_id": 292_430_182}).to_string();
    sender.takes(now(), &by_github("ping", "d0"), &ping).await;
    sender.takes(now(), &by_github("issue_comment", "d2"), &body).await;
    sender.takes(now(), &by_github("issues", "d1"), &body).await;
    sender.takes(now(), &by_github("issues", "d1"), &body).await;
    let lead = sender.lead(key).await;
    let (name, who) = (&lead["name"], &lead["contact_name"]);
    assert_eq!((name, who), (&json!("Spelling error in the README file"), &json!("Codertocat")));
    let description = lead["description"].as_str().unwrap();
    assert!(description.contains("accidently spelled 'commit' with two 't's."), "{description}");

    event["action"] = json!("edited");
    event["issue"]["title"] = json!("Spelling error <b>twice</b>");
    event["issue"]["body"] = json!("One.\r\nTwo <script>alert(1)</script>");
    event["issue"]["updated_at"] = json!("2019-05-15T15:30:00Z");
    // The other content type that GitHub offers.
    let form: String = reqwest::Url::parse_with_params("http://form/", [("payload", event.to_string())])
        .unwrap()
        .query()
        .unwrap()
        .to_owned();
    let typed = [&by_github("issues", "d3")[..], &[("Content-Type", "application/x-www-form-urlencoded")]].concat();
    sender.takes(now(), &typed, &form).await;
    let edited = sender.lead(key).await;
    assert_eq!((&edited["id"], &edited["name"]), (&lead["id"], &json!("Spelling error <b>twice</b>")));
    let description = edited["description"].as_str().unwrap();
    assert!(description.contains("One.<br>Two &lt;script&gt;"), "{description}");

    // An older event that comes late, and one of which nothing is made.
    sender.takes(now(), &by_github("issues", "d4"), &body).await;
    event["action"] = json!("deleted");
    sender.takes(now(), &by_github("issues", "d5"), &event.to_string()).await;
    assert_eq!(sender.lead(key).await, edited);
}

#[tokio::test]
async fn an_issue_of_gitlab_is_one_lead_with_a_plain_token() {
    let sender = Sender::of("gitlab").await;
    let by_gitlab = |key: &'static str| {
        [
            ("X-Gitlab-Event", "Issue Hook"),
            ("X-Gitlab-Instance", "https://gitlab.com"),
            ("X-Gitlab-Webhook-UUID", "02affd2d-2cba-4033-917d-ec22d5dc4b38"),
            ("X-Gitlab-Event-UUID", "13792a34-cac6-4fda-95a8-c58e00a3954e"),
            ("Idempotency-Key", key),
            ("Content-Type", "application/json"),
        ]
    };
    sender.refuses_others(&by_gitlab("k1"), &sender.body).await;
    sender.takes(now(), &by_gitlab("k1"), &sender.body).await;
    sender.takes(now(), &by_gitlab("k1"), &sender.body).await;
    let lead = sender.lead("gitlabhq/gitlab-test#23").await;
    assert_eq!(lead["name"], "New API: create/update/delete file");

    let mut event = sender.json();
    event["object_attributes"]["title"] = json!("New API");
    // Older versions of GitLab write times in this way.
    event["object_attributes"]["updated_at"] = json!("2013-12-04 17:15:43 UTC");
    sender.takes(now(), &by_gitlab("k2"), &event.to_string()).await;
    let changed = sender.lead("gitlabhq/gitlab-test#23").await;
    assert_eq!((&changed["id"], &changed["name"]), (&lead["id"], &json!("New API")));
    assert!(!sender.gateway.log_text().contains(&sender.secret), "the token is logged");
}

#[tokio::test]
async fn a_ticket_of_zendesk_is_one_lead_though_each_attempt_is_signed_anew() {
    let sender = Sender::of("zendesk").await;
    let headers = [("Content-Type", "application/json")];
    sender.refuses_others(&headers, &sender.body).await;
    sender.takes(now(), &headers, &sender.body).await;
    sender.takes(now() + 1, &headers, &sender.body).await;
    let lead = sender.lead("zendesk 5158").await;
    assert_eq!(lead["name"], "A lamp flickers");
    assert!(lead["description"].as_str().unwrap().contains("flickers.<br>Can you"), "{lead}");

    let mut event = sender.json();
    event["id"] = json!("another");
    event["type"] = json!("zen:event-type:ticket.subject_changed");
    event["time"] = json!("2025-01-08T10:13:00Z");
    event["detail"]["subject"] = json!("Two lamps flicker");
    sender.takes(now(), &headers, &event.to_string()).await;
    let changed = sender.lead("zendesk 5158").await;
    assert_eq!((&changed["id"], &changed["name"]), (&lead["id"], &json!("Two lamps flicker")));
}
