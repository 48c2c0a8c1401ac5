//! Who gets in to the console, and who stays outside.

use serde_json::Value;

use crate::support::{
    console::{Console, console_user},
    gateway::Gateway,
    poll_for,
};

fn posted_token(gateway: &Gateway) -> String {
    let control = std::fs::read(gateway.log_folder().join("control.json")).unwrap();
    serde_json::from_slice::<Value>(&control).unwrap()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_sees_a_page_without_a_token_and_is_led_back_after_it() {
    let (token, entry) = console_user("anna", "read");
    let gateway = Gateway::start_with(&entry).await;
    let nobody = Console::nobody(&gateway);
    for path in ["/", "/calls?state=failed", "/queue", "/clients", "/hooks", "/docs", "/live", "/calls/x/again"] {
        let page = nobody.get(path).await;
        assert_eq!(page.status, 401, "{path}");
        page.assert_lacks("Sign out");
    }
    nobody.get("/calls?state=failed").await.assert_has("name=\"next\" value=\"/calls?state=failed\"");
    let wrong = nobody.send_form("/signin", &[("token", "wrong"), ("next", "/calls")]).await;
    assert_eq!((wrong.status, wrong.headers.get("set-cookie")), (401, None));
    wrong.assert_has("This token is not known");
    let right = nobody.send_form("/signin", &[("token", &token), ("next", "/calls?state=failed")]).await;
    assert_eq!((right.status, right.location()), (303, "/calls?state=failed"));
    let cookie = right.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let elsewhere = nobody.send_form("/signin", &[("token", &token), ("next", "//evil.example/")]).await;
    assert_eq!(elsewhere.location(), "/");
}

#[tokio::test]
async fn the_token_beside_the_log_is_an_operators_and_a_form_of_another_session_is_refused() {
    let (token, entry) = console_user("anna", "read");
    let gateway = Gateway::start_with(&entry).await;
    let operator = Console::with_token(&gateway, &posted_token(&gateway)).await;
    operator.get("/calls").await.assert_has("(operator)");
    let anna = Console::with_token(&gateway, &token).await;
    anna.get("/calls").await.assert_has("(read)");

    let crossed = operator.send_form("/queue/pause", &[("client", "shop"), ("csrf", &anna.csrf)]).await;
    assert_eq!(crossed.status, 403);
    crossed.assert_has("The form is of another session");
    let reader = anna.post("/queue/pause", &[("client", "shop")]).await;
    assert_eq!(reader.status, 403);
    reader.assert_has("Your role is `read`");

    assert_eq!(anna.post("/signout", &[]).await.location(), "/signin");
    assert_eq!(anna.get("/calls").await.status, 401);
    assert_eq!(operator.get("/calls").await.status, 200);
}

#[tokio::test]
async fn a_person_who_is_taken_out_of_the_configuration_is_signed_out() {
    let (token, entry) = console_user("anna", "operator");
    let gateway = Gateway::start_with(&entry).await;
    let anna = Console::with_token(&gateway, &token).await;
    let text = std::fs::read_to_string(gateway.config_file()).unwrap();
    std::fs::write(gateway.config_file(), text.replace("role = \"operator\"", "role = \"read\"")).unwrap();
    poll_for(async || anna.get("/calls").await.status == 401).await;
    Console::with_token(&gateway, &token).await.get("/calls").await.assert_has("(read)");
}

#[tokio::test]
async fn a_page_of_another_name_that_points_here_is_refused() {
    let gateway = Gateway::start_with("[console]\nhosts = [\"gateway.example.com\"]\n").await;
    let operator = Console::operator(&gateway).await;
    for (host, status) in [("evil.example", 421), ("gateway.example.com", 200), ("localhost:1", 200)] {
        assert_eq!(operator.get_with("/calls", &[("host", host)]).await.status, status, "{host}");
    }
    // Programs that read health and metrics have whatever name they were given.
    assert_eq!(operator.get_with("/health", &[("host", "gateway")]).await.status, 200);
}

#[tokio::test]
async fn a_browser_on_this_machine_needs_no_token_where_that_is_configured() {
    let gateway = Gateway::start_with("[console]\nloopback = true\n").await;
    let nobody = Console::nobody(&gateway);
    let first = nobody.get("/calls").await;
    assert_eq!((first.status, first.location()), (303, "/calls"));
    let mut here = nobody.clone();
    here.cookie = first.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    here.get("/calls").await.assert_has("loopback");
    // What a proxy forwards comes from this machine, too.
    for forwarded in [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")] {
        assert_eq!(nobody.get_with("/calls", &[forwarded]).await.status, 401);
        assert_eq!(here.get_with("/calls", &[forwarded]).await.status, 401);
    }
}

#[tokio::test]
async fn a_link_on_another_site_is_loaded_once_more_before_a_token_is_asked_for() {
    let gateway = Gateway::start().await;
    let operator = Console::operator(&gateway).await;
    let mut linked = operator.clone();
    // `SameSite=Strict` leaves the cookie out.
    linked.cookie.clear();
    let page = linked.get_with("/calls", &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(page.status, 200);
    page.assert_has("http-equiv=\"refresh\"");
    assert_eq!(operator.get_with("/calls", &[("sec-fetch-site", "same-origin")]).await.status, 200);
    assert_eq!(linked.get_with("/calls", &[("sec-fetch-site", "same-origin")]).await.status, 401);
}

#[tokio::test]
async fn a_token_in_a_file_may_change_while_the_gateway_runs_and_a_short_one_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("anna.token");
    let entry = format!("[[console.user]]\nname = \"anna\"\ntoken_file = \"{}\"\n", file.display());
    std::fs::write(&file, "the first token of anna\n").unwrap();
    let gateway = Gateway::start_with(&entry).await;
    Console::with_token(&gateway, "the first token of anna").await;
    for short in ["", "anna"] {
        std::fs::write(&file, short).unwrap();
        let page = Console::nobody(&gateway).send_form("/signin", &[("token", short)]).await;
        assert_eq!(page.status, 401, "`{short}`");
    }
    let (code, said, _) = gateway.run(&["check"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("anna.token has a token of fewer than 20 characters"), "{said}");
    std::fs::write(&file, "the second token of anna").unwrap();
    Console::with_token(&gateway, "the second token of anna").await;
}
