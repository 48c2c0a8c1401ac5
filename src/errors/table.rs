//! The rows of the table of errors, in the order of docs/errors.md.

use super::{Class, Retry, Row, Section};

/// A row is `Variant = "text", class|other class, retry|other retry, "cause", "remedy";`.
macro_rules! codes {
    ($($section:ident { $($name:ident = $text:literal, $($class:ident)|+, $($retry:ident)|+, $cause:literal, $remedy:literal;)+ })+) => {
        /// The code of an error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($($name,)+)+
        }

        impl Code {
            /// Every code, in the order of docs/errors.md.
            pub const ALL: &[Self] = &[$($(Self::$name,)+)+];

            /// The row of this code.
            pub const fn row(self) -> &'static Row {
                match self {
                    $($(Self::$name => &Row {
                        section: Section::$section,
                        text: $text,
                        classes: &[$(Class::$class,)+],
                        retries: &[$(Retry::$retry,)+],
                        cause: $cause,
                        remedy: $remedy,
                    },)+)+
                }
            }
        }
    };
}

codes! {
    Request {
        InvalidJson = "invalid_json", BadRequest, No,
            "the body is not JSON, holds a key twice, or a number that would not arrive as it was sent",
            "send one JSON value, each key once: not `{\"a\": 1, \"a\": 2}`";
        InvalidEnvelope = "invalid_envelope", Refused|BadRequest, No,
            "the body is no object (400); `params`, `model` or `vals` is of the wrong kind (200)",
            "send `{\"model\": \"res.partner\", \"vals\": {\"payload\": {…}}}`, within `params` or not";
        MissingParameter = "missing_parameter", Refused, No,
            "`model`, `vals`, `payload`, `search_key` or `payload.method` is not there",
            "add it: the message names it";
        MisplacedParameter = "misplaced_parameter", Refused, No,
            "a parameter of `payload` stands in `vals` or beside it, or one of `vals` in `payload` or beside `vals`; the \
             message says where it belongs",
            "move it to where the message says: `{\"model\": \"m\", \"vals\": {\"payload\": {\"limit\": 2}}}`";
        BodyTooLarge = "body_too_large", TooLarge, No,
            "the body is larger than `[limits] body`, or needs more memory than `[limits] bodies` once it is \
             parsed; a login, than 64 KiB",
            "send it in several calls, files by their URL; or have the limit raised";
        BodyTimeout = "body_timeout", RequestTimeout, Safe,
            "the body did not come within `[limits] body_timeout`, and within such a time less of it than \
             `body_rate` a second",
            "send it again, over a better line or in several calls";
        BodyBroken = "body_broken", BadRequest, Safe,
            "the connection ended within the body",
            "send it again";
        OutOfTime = "out_of_time", GatewayTimeout, Safe,
            "the call had not begun to write when nine tenths of `[limits] call_timeout` were over; nothing was \
             written",
            "send it again; where it is a large call, in several parts";
        StillRunning = "still_running", GatewayTimeout, Unsafe,
            "the call has begun to write and goes on after `[limits] call_timeout`; the log will have its end",
            "wait, then ask `GET /api/calls/ID` or the operator; with an idempotency key, send it again";
        HiddenValues = "hidden_values", Refused, No,
            "only of `odoo-gateway replay`: the log has hidden values of the call that Odoo would get; give them \
             with `--edit`",
            "give the values with `--edit`";
        InvalidKey = "invalid_key", BadRequest, No,
            "what stands in the place of an idempotency key is empty, stands twice, is longer than 255 characters, or has other \
             characters than the visible ones of ASCII",
            "send one such as `Idempotency-Key: order-17`";
        KeyRequired = "key_required", BadRequest, No,
            "the client's `[client.idempotency] required` wants a key with every call that writes",
            "send one as `Idempotency-Key`";
        KeyReused = "key_reused", Unprocessable, No,
            "the idempotency key was used for another request of this caller",
            "a key stands for one request: send a new one";
        KeyInProgress = "key_in_progress", Conflict, Safe,
            "the first call with this idempotency key has not ended in the time that this one may take",
            "send it again with the same key";
        AsyncNeedsClient = "async_needs_client", Forbidden, No,
            "`Prefer: respond-async` with a credential of Odoo's: the gateway keeps none, so it can make later only what a \
             `[[client]]` asks for",
            "use a key of the gateway's";
        NestedTooDeep = "nested_too_deep", BadRequest, No,
            "the body is nested deeper than `[limits] json_depth`",
            "send it less deeply nested, or have the limit raised";
        TooManyValues = "too_many_values", TooLarge, No,
            "the body, or a domain in a text, has more JSON values than `[limits] values`: send it in several calls",
            "send it in several calls, or have the limit raised";
        UnsupportedEncoding = "unsupported_encoding", UnsupportedMedia, No,
            "the body is packed; it must come as it is",
            "send it without `Content-Encoding`";
        NotFound = "not_found", NotFound, No,
            "no such route, and nothing that `[proxy]` passes on",
            "correct the path: `POST /api/create_data`";
        NoHook = "no_hook", NotFound, No,
            "a POST came to a path below `/hooks/` that no `[[hook]]` has; the log has the path, and the messages of the process \
             name the hook that is probably meant",
            "compare the path with the one that the operator of the gateway gave, letter by letter";
        UnknownCall = "unknown_call", NotFound, No,
            "only of `/api/calls/ID`: the store has no such call of this caller; one that has no idempotency key and is not \
             queued is in the log alone, and an end is kept for `[delivery] keep`",
            "ask with the credential that made the call";
        WrongHttpMethod = "method_not_allowed", MethodNotAllowed, No,
            "a route of the interface was not called by POST, or `/api/calls/ID` not by GET; or CONNECT or TRACE",
            "use POST for calls, and GET for `/api/calls/ID`";
        DatabaseService = "database_service", Forbidden, No,
            "Odoo's JSON-RPC service `db` was called through `[proxy]`, which passes it on only where `pass` names \
             `/web/database`",
            "ask the operator; records need no `db` service";
        ContentType = "content_type", UnsupportedMedia, No,
            "a caller with a session cookie did not send `Content-Type: application/json`, as a form in a foreign \
             page would",
            "send `Content-Type: application/json`";
        InvalidPath = "invalid_path", BadRequest, No,
            "a path with dot segments, backslashes or control characters, encoded or not",
            "send the path as it is meant, without `%2e%2e` and the like";
        UrlTooLong = "url_too_long", UriTooLong, No,
            "path and query are longer than `[limits] url_length`",
            "send what is long in the body";
        HeadTooLarge = "head_too_large", HeadTooLarge, No,
            "the head is larger than `[limits] header_size`, or has more than 100 headers; in the log alone, the \
             answer has no body",
            "send fewer or shorter headers, such as cookies";
        InvalidHost = "invalid_host", BadRequest, No,
            "no `Host`, several, or none that can be a host",
            "send one `Host`";
        InvalidFraming = "invalid_framing", BadRequest, No,
            "a `Transfer-Encoding` that is not `chunked` alone, or stands beside a `Content-Length`",
            "send one of the two";
        InvalidHttp = "invalid_http", BadRequest, No,
            "what came is not HTTP; in the log alone, the answer has no body",
            "speak HTTP/1.1 or HTTP/2; where TLS is expected, TLS";
    }
    Credentials {
        NoCredentials = "no_credentials", Unauthenticated, No,
            "no session cookie, bearer, `x-api-key` or basic",
            "send one, such as `Authorization: Bearer KEY`";
        UnreadableCredential = "unreadable_credential", Unauthenticated, No,
            "the header is empty, stands twice, or is not of its form; or what stands as a login has the form of a \
             key",
            "send the key as it was given; Basic is the base64 of LOGIN:SECRET";
        WrongKey = "wrong_key", Refused, No,
            "Odoo does not accept the API key, or no longer; remembered for a minute",
            "make a new one in Odoo";
        WrongLogin = "wrong_login", Refused, No,
            "Odoo does not accept this login with this key or password, or no longer; remembered for a minute",
            "check both";
        LoginsHeld = "logins_held", Unavailable, Safe,
            "several wrong logins came in a row, so the gateway lets no more unknown ones through, or Odoo takes \
             none from this address for a minute; sessions, keys, and logins that have been right before go on",
            "come back in two minutes";
        SecondFactor = "second_factor", Refused, No,
            "the password is right, but the account uses two-factor authentication",
            "make an API key and send that";
        UnknownClient = "unknown_client", Unauthenticated, No,
            "a key of the gateway's form (`gw_…`) that no `[[client]]` has; `?client=` with a name that is none, \
             or of one that does not sign; at a hook, the credential of somebody else",
            "`odoo-gateway client new` makes one";
        ClientAccount = "client_account", BadGateway, Safe,
            "Odoo does not accept the account that the gateway uses for this `[[client]]`, or a secret of the client is not where the \
             configuration says it is",
            "the operator renews it: a file that holds it is read again by itself, for an environment variable the \
             gateway is restarted; `check` and the log say what Odoo said";
        SessionExpired = "session_expired", Refused, No,
            "the session is over or was never one",
            "log in at `/web/session/authenticate`";
        KeyNeedsLogin = "key_needs_login", Refused, No,
            "before Odoo 19 a key alone tells Odoo nothing",
            "send its user's login in `X-Odoo-Login`, or both as Basic";
        CredentialNotAllowed = "credential_not_allowed", Refused, No,
            "`[upstream] protocol` leaves out this kind of credential",
            "use the other kind";
        OtherDatabase = "other_database", Refused, No,
            "a login or session of another database than `[upstream] database`",
            "log in to this one";
        OwnCredentials = "own_credentials", Refused, No,
            "`[policy] own_credentials` is false: Odoo credentials are not taken",
            "use a key of the gateway's";
        ClientRevoked = "client_revoked", Unauthenticated, No,
            "the key is right, and the `[[client]]` is revoked",
            "ask the operator";
        ClientExpired = "client_expired", Unauthenticated, No,
            "the key is right, and `expires` of the `[[client]]` is over",
            "ask the operator";
        AddressNotAllowed = "address_not_allowed", Denied, No,
            "the caller is served at other `addresses` only",
            "call from such an address, or have `addresses` of the `[[client]]` changed";
        TooManyAttempts = "too_many_attempts", TooManyRequests, Safe,
            "30 different wrong credentials came from this address within a minute, or 30 unknown ones are being \
             tried; what Odoo has accepted lately goes on",
            "come back in a minute";
        RateLimited = "rate_limited", TooManyRequests, Safe,
            "more than `requests_per_second` calls of this caller",
            "come back in a second";
        TooManyInFlight = "too_many_in_flight", TooManyRequests, Safe,
            "as many calls of this caller are under way as its `in_flight` allows",
            "come back when one has ended";
        SignatureMissing = "signature_missing", Unauthenticated, No,
            "a header of the signature, or the token, is not there",
            "have the sender sign, and proxies pass its headers on";
        SignatureMalformed = "signature_malformed", Unauthenticated, No,
            "a header of the signature stands twice or is not of its form",
            "compare the header with what the sender's documents say, and with `[client.signature]`";
        SignatureWrong = "signature_wrong", Unauthenticated, No,
            "the signature is not that of this body, or the token another one",
            "the body must come as it was signed; or another secret signed it. Of a signature over the URL, `public_url` \
             must be what the sender calls";
        SignatureStale = "signature_stale", Unauthenticated, No,
            "its time is further from now than `tolerance`",
            "check the clocks";
        Replayed = "replayed", Taken|UnderWay, No|Safe,
            "this delivery has been taken already, at this route or hook or another one of the client",
            "nothing: it was taken";
    }
    Policy {
        RouteNotAllowed = "route_not_allowed", Denied, No,
            "`routes`",
            "ask the operator: `routes` of the client's policy would have to name it";
        ModelNotAllowed = "model_not_allowed", Denied, No,
            "`models`, or a model that gives power and is not named there",
            "ask the operator: `models` would have to name it; or leave it out";
        FieldNotReadable = "field_not_readable", Denied, No,
            "`never_read`; of a search by name, what it may read besides: `name_search`",
            "leave the field out, or ask the operator";
        FieldNotWritable = "field_not_writable", Denied, No,
            "`never_write`",
            "leave the field out, or ask the operator";
        MethodNotAllowed = "method_not_allowed", Denied, No,
            "`methods`",
            "ask the operator: `methods` would have to name it";
        OutsideDomain = "outside_domain", Denied, No,
            "`domains`: a record was made outside, and deleted again, or would be changed without its domain being \
             kept to",
            "send values within the domain, or ask the operator";
        TooManyRecords = "too_many_records", Denied, No,
            "`max_records`",
            "send fewer in a call, or ask the operator";
    }
    Hooks {
        DeliveryInDoubt = "delivery_in_doubt", UnderWay, Safe,
            "this delivery was taken before, and it is not known whether it was done",
            "look into Odoo, then `odoo-gateway log settle`";
        NotWhen = "not_when", Refused, No,
            "the records that were found do not match `when`, so that the call changes nothing: it is answered as done, and \
             `ignored` in the log",
            "nothing, where that is meant; or change `when`";
        NoPayload = "no_payload", Refused, No,
            "the template gives nothing for this body, and no reason to ignore it",
            "correct the template; where there is nothing to do, say `ignore(\"why\")` in it";
        HookLimits = "hook_limits", Refused, No,
            "the template takes more than 256 MiB of memory on this body, calls itself without end, or does not \
             end within 10 s; the log has what was sent",
            "make the template simpler, and try it with `odoo-gateway hook test`";
        HookBody = "hook_body", Refused, No,
            "the body is not of the form that the hook expects; the log has what was sent",
            "compare `body` of the hook with what the sender sends";
        HookTemplate = "hook_template", Refused, No,
            "the template fails, or gives no object with `payload`; the log has what was sent",
            "correct the template with `odoo-gateway hook test`, then replay the delivery";
        HookFetchFailed = "hook_fetch_failed", BadGateway, Safe,
            "what `[hook.fetch]` names is not to be had now: no connection, no answer in time, 408, 425, 429 or 5xx, no \
             memory left; nothing was written",
            "send it again later; the gateway tries a queued one by itself";
        HookFetchRefused = "hook_fetch_refused", Refused, No,
            "what `[hook.fetch]` names is not among the URLs of its `allow`, leads to an address that is not public, \
             or is nothing that can be taken (404, 401, too large, of another form than its content type says)",
            "correct `[hook.fetch]`, then replay the delivery";
    }
    Payload {
        RecordsRefused = "records_refused", Refused, Unsafe|No|Safe,
            "records of a list were not written: `error.records` has their places, and `result` the answer of each, \
             with `error.retry` of its own. Send those again that failed: `unsafe` means that others were written",
            "send those again that failed: `error.records` has their places";
        NoMatch = "no_match", Refused, No,
            "a lookup finds no record that has the values of all its keys",
            "correct the value, make the record in Odoo first, or say in `auto_create` what to make of it";
        AmbiguousMatch = "ambiguous_match", Refused, No,
            "a lookup finds several; `candidates` has up to five",
            "add keys that one record alone has, or name one of `candidates` by its `id`";
        UnknownLookupField = "unknown_lookup_field", Refused, No,
            "the related model has no such field",
            "look up by a field that the related model has";
        InvalidValue = "invalid_value", Refused, No,
            "a value of the wrong kind, a bad `mode`, a `null` to look up by, a file without name or with content \
             that is no base64; a name (of a model, method, field, argument, context key or language) of more than \
             200 bytes",
            "send what the message says is due; docs/payloads.md has the forms of each type";
        UrlRefused = "url_refused", Refused, No,
            "a file's URL is not among those of `[files] allow`, leads to an address that is not public, or to no \
             file that can be taken (404, too large)",
            "have the place added to `[files] allow`, or send the content as base64";
        FileNotFetched = "file_not_fetched", BadGateway, Safe,
            "a file is not to be had by its URL now: no connection, no answer in time, 5xx, no memory left; nothing \
             was written",
            "send it again later";
        CircularAutoCreate = "circular_auto_create", Refused, No,
            "a record of `auto_create` needs itself",
            "leave the record out of its own values: not `{\"parent_id\": {\"name\": \"A\", \"parent_id\": {\"name\": \"A\"}}}`";
        NotFoundAfterwards = "not_found_afterwards", Refused, No,
            "the record that `auto_create` made is not found by its lookup; it was deleted again",
            "look up by a field that is stored, with the value that `auto_create` gives it";
        LinesDiffer = "lines_differ", Refused, No|Unsafe,
            "Odoo made more or fewer lines than were sent, so that files of lines cannot be assigned",
            "send the lines without files, then each file with its line";
        UnknownField = "unknown_field", Refused, No,
            "`result_field` or `search_field` names a field that the model lacks; where strict, `payload` too",
            "correct the name of the field, or install the module that has it";
        NotRelational = "not_relational", Refused, No,
            "fields are wanted within a field that leads nowhere",
            "ask for the field alone: `\"name\"`, not `\"name{code}\"`";
        InvalidFields = "invalid_fields", Refused, No,
            "`result_field` or `search_field` cannot be read",
            "send a list such as `[\"name\", \"country_id{code}\"]`";
        InvalidDomain = "invalid_domain", Refused, No,
            "`search_domain` is no Python literal",
            "send a list such as `[[\"state\", \"=\", \"sale\"]]`, or the same as a Python literal";
        NotInXml = "not_in_xml", Refused, No,
            "only with `protocol = \"xml-rpc\"`: a control character or an integer of more than 64 bits",
            "remove the character: `\"a\\u0001\"`; or have `protocol` changed";
        TooManyRows = "too_many_rows", Refused, No,
            "a search without `limit` finds more records than `[limits] rows`, or a grouping more groups; the message has \
             their number",
            "read them in pages, by `limit` and `offset`";
        PrivateMethod = "private_method", Refused, No,
            "a method that Odoo lets nobody call from outside",
            "call a public method, whose name does not begin with `_`";
    }
    Odoo {
        UnknownModel = "unknown_model", Refused, No,
            "the model does not exist, or its module is not installed",
            "correct the name, or install the module";
        UnknownMethod = "unknown_method", Refused, No,
            "the model has no such method",
            "correct the name, or install the module";
        AccessError = "access_error", Refused, No,
            "`AccessError`: the user may not do this",
            "give the user the group in Odoo that the message names, or call as another user";
        AccessDenied = "access_denied", Refused, No,
            "`AccessDenied`",
            "check the rights of the user in Odoo";
        MissingRecord = "missing_record", Refused, No|Safe,
            "`MissingError`: a record is gone",
            "look the record up by a key instead of its id, or leave it out";
        ValidationError = "validation_error", Refused, No|Safe,
            "`ValidationError`: a constraint, a required field, a value that is there already; or `load` refused rows, which \
             `rows` has",
            "correct the value that the message names";
        UserError = "user_error", Refused, No,
            "`UserError`, `RedirectWarning`",
            "do as the message says";
        Conflict = "conflict", Refused, Safe,
            "serialization failure, deadlock, lock, no database connection left; Odoo has tried several times \
             itself, and so has the gateway",
            "send it again";
        OdooError = "odoo_error", Refused, No,
            "any other exception; the log has its traceback",
            "look into the log for the traceback; it is mostly a module's mistake";
    }
    Upstream {
        OdooUnreachable = "odoo_unreachable", BadGateway|Unavailable, Safe,
            "no connection: nothing was sent; 503 once five in a row failed, until a probe gets through",
            "send it again later; the operator looks whether Odoo runs, and at `[upstream] url`";
        OdooOverloaded = "odoo_overloaded", Unavailable, Safe,
            "Odoo or a proxy before it answered 429, or 503 to a read",
            "send it again later, and fewer calls at a time";
        StoreUnavailable = "store_unavailable", Unavailable, Safe,
            "the store of keys and queued calls, or of the locks that gateways share, cannot be read or written now; \
             nothing was written in Odoo",
            "send it again later; the operator looks at the store's database";
        LaneBusy = "lane_busy", Unavailable, Safe,
            "deliveries with the same `key` have not ended in the time that this one may take; nothing was written",
            "send it again later";
        UnknownHook = "unknown_hook", Unavailable, Safe,
            "a delivery that was stored came by a hook that the configuration has no more: it is tried again until \
             `[delivery] max_age`",
            "put the hook back, or drop the delivery: `odoo-gateway queue drop`";
        LeaseLost = "lease_lost", Unavailable, Safe,
            "the gateway could not extend its right to make the call (`[delivery] lease`), so that another one may make \
             it; nothing was written",
            "send it again";
        QueueFull = "queue_full", Unavailable, Safe,
            "as many calls are queued as `[delivery] queue` allows, or `queue_per_client` for this client",
            "send it again later; the operator looks why the queue does not get shorter";
        MayBeQueued = "may_be_queued", GatewayTimeout, Unsafe,
            "the store did not say whether it has taken the call into the queue, and the call has no idempotency key",
            "ask for it by `GET /api/calls/ID`; with an `Idempotency-Key` it is safe to send it again";
        TooOld = "too_old", GatewayTimeout, No|Unsafe,
            "only of a queued call: it could not be delivered within `[delivery] max_age`; the message has the last reason, and \
             nothing was written, but where `retry` is `unsafe`: then the gateway ended while it made the call, which may have \
             been done",
            "`odoo-gateway queue retry` has it tried again; where `retry` is `unsafe`, look in Odoo, and put on record by \
             `odoo-gateway log settle` what you find";
        Poison = "poison", Internal, Unsafe,
            "only of a queued call: the gateway ended five times while it made the call, and makes it no more",
            "look into Odoo whether it was done; please report it with the call's id";
        TooBusy = "too_busy", Unavailable, Safe,
            "as many calls wait for Odoo as `[upstream] queue` allows and no other caller has more of them, or \
             this one waited for `queue_timeout`; as many requests are under way as `[limits] requests` or \
             `requests_per_address` allows, or what they hold in memory fills `[limits] bodies`; or all templates \
             of hooks are busy",
            "send it again later, and fewer calls at a time";
        KeyBusy = "key_busy", Unavailable, Safe,
            "other calls with the same search key, or an `auto_create` of the same record, were under way for as \
             long as this call could wait; nothing was written",
            "send it again";
        NotSendable = "not_sendable", BadGateway, No,
            "the call has no form in HTTP, such as a URL of more than 64 KiB; nothing was sent",
            "send less in one call";
        OdooTimeout = "odoo_timeout", GatewayTimeout, Safe|Unsafe,
            "no answer within `[upstream] timeout`, or what was left of `[limits] call_timeout`; silence within an \
             answer for `read_timeout`",
            "where `retry` is `safe`, send it again; else look in Odoo first";
        OdooNoAnswer = "odoo_no_answer", BadGateway, Safe|Unsafe,
            "the connection broke, the answer was cut or is no answer of Odoo's (a web page, a compressed body, no \
             JSON or XML); a proxy answered 5xx; Odoo lost its database; a record was made together with those of \
             other calls, and Odoo did not tell which is which",
            "where `retry` is `safe`, send it again; else look in Odoo first";
        OutcomeUnknown = "outcome_unknown", GatewayTimeout, Unsafe,
            "the answer to a write was lost, and Odoo's records did not tell whether it was done: several may be the \
             one, a similar one stands there, or the time in which it may still appear is not over",
            "look for it in Odoo, by the values that the message names; `odoo-gateway log settle` puts on record what \
             you find";
        EarlierAttempt = "settling", GatewayTimeout, Safe,
            "a gateway ended while it made this call, and what it had sent may still be at work in Odoo; nothing was \
             written now",
            "send it again after `[delivery] longest_request`";
        TurnedAway = "turned_away", BadGateway, No,
            "a proxy before Odoo, or Odoo's own server, answered 4xx with no word of Odoo's: a body that is too \
             large for it, an address that it does not know, a wall",
            "the operator looks at the proxy before Odoo: its limit of the body, its list of addresses";
        AnswerTooLarge = "answer_too_large", BadGateway, No|Unsafe,
            "the answer is larger than `[upstream] max_answer`, or would take more memory than `[limits] bodies` \
             once it is parsed",
            "ask for fewer fields or records";
        OdooRedirects = "odoo_redirects", BadGateway, No,
            "Odoo, or a proxy before it, sends callers to another address: `[upstream] url` is not the right one",
            "the operator corrects `[upstream] url`";
        NoSuchDoor = "no_such_door", BadGateway, No,
            "`protocol = \"json-2\"` before an Odoo older than 19",
            "the operator sets another `[upstream] protocol`";
        NoSuchDatabase = "no_such_database", BadGateway, No,
            "Odoo does not serve `[upstream] database`",
            "the operator corrects `[upstream] database`";
        LogFailed = "log_failed", Unavailable, Safe,
            "the log cannot be written, or its folder, segment or `LOCK` was moved, deleted or replaced, so no \
             call is taken; restart the gateway when the disk and the folder are well",
            "send it again later; the operator restarts the gateway when the disk and the folder are well";
        LogFull = "log_full", Unavailable, Safe,
            "the disk of the log has less room than `[log] min_free` and the call itself need, so it is not taken \
             until there is more",
            "send it again later; the operator makes room on the disk";
        Internal = "internal", Internal, Unsafe,
            "a mistake of the gateway itself; please report it with the call's id",
            "look in Odoo before it is sent again, and report it with the call's id";
    }
    Warnings {
        FieldNotWritten = "field_not_written", Refused, No,
            "Odoo fills the field itself and drops what is sent for it: a field that is computed and not stored \
             (`display_name`, `invoice_count`), one that is stored and computed in a new record (`amount_total`; an \
             update does write it), `id`, `create_date` and the like. The value is sent all the same, since a model's \
             own code may look at it",
            "leave the field out";
        UnknownParameter = "unknown_parameter", Refused, No,
            "a parameter that the route does not know was ignored; most often it is misspelt",
            "correct the name";
        LookupKeyIgnored = "lookup_key_ignored", Refused, No,
            "only with `[compat] lookup_keys = \"first\"`: a lookup has several keys, and the first alone was used",
            "send one key, or have `[compat] lookup_keys` changed to `all`";
        SeveralMatched = "several_matched", Refused, No,
            "an update finds more records than its `search_key` names, and no `max_records.write` says how many may be \
             written; all of them are written",
            "send a key that one record has, or set `max_records.write`";
        ArchivedMatch = "archived_match", Refused, No,
            "a record is made by `create_update_data` or `auto_create`, though an archived one matches; \
             `\"archived\": true` beside the keys takes that one",
            "add `\"archived\": true` to take the archived record";
        SearchKeyNotWritten = "search_key_not_written", Refused, No,
            "`create_update_data` makes a record without the value of a key, since that is no value of a field of its \
             own; the same call makes another one the next time",
            "send the value in `payload`, too: not `{\"parent_id.ref\": \"A\"}` alone";
        NothingMatched = "nothing_matched", Refused, No,
            "no record matches `search_key`",
            "check the key; `create_update_data` would make the record";
        ResultNotRead = "result_not_read", Refused, No,
            "the record was written, but `result_field` could not be read; only where it is read by a call of its own \
             (before Odoo 17, files, references)",
            "read the record by `search_data`";
        MarkerNotWritten = "marker_not_written", Refused, No,
            "the record was written, but not the external id that `[delivery] marker` gives it, as a rule because the client may \
             not write `ir.model.data`, or its user may not in Odoo; the record is found by its values alone",
            "let the client write `ir.model.data`, or do without `[delivery] marker`";
        OdooAsksBack = "odoo_asks_back", Refused, No,
            "the method answered an action, such as a wizard that asks for more: it may have done nothing yet. The action is \
             in the result; `payload.then` answers it. Told where strict, too, since the method was called",
            "answer with `payload.then`";
        LinesRemoved = "lines_removed", Refused, No,
            "lines that are there are not in the list that replaces them, and were removed; never an error",
            "nothing, where that is meant; else `\"mode\": \"add\"` or `\"merge\"`";
        NotLogged = "not_logged", Refused, No,
            "the call was carried out, but the line of its end could not be written to the log, which has it in doubt",
            "nothing: the call was carried out; the operator looks at the disk";
    }
}
