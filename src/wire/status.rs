//! From the class of an error to an HTTP status. Only this file makes a status of an error.
//!
//! What Odoo or the plan decided is 200, as the addon's callers expect. A caller must see by the status alone that a call
//! never came to a decision and may be worth another try.

use http::StatusCode;

use crate::errors::{Class, Retry};

/// The status of an outcome at a route. What Odoo or the plan decided is 200, as the addon's callers expect.
pub fn status(class: Class) -> StatusCode {
    match class {
        Class::Done | Class::Refused | Class::Unauthenticated | Class::Denied | Class::Taken | Class::UnderWay => {
            StatusCode::OK
        }
        Class::Accepted => StatusCode::ACCEPTED,
        Class::BadRequest => StatusCode::BAD_REQUEST,
        Class::Conflict => StatusCode::CONFLICT,
        Class::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        Class::Forbidden => StatusCode::FORBIDDEN,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Class::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::UriTooLong => StatusCode::URI_TOO_LONG,
        Class::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Class::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Class::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Class::BadGateway => StatusCode::BAD_GATEWAY,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The status for the sender of a hook, who knows nothing of the addon's form and reads the status alone. What need not be sent
/// again is 200: a delivery that has been taken, and one with which there is nothing to do.
pub fn hook_status(class: Class, retry: Option<Retry>) -> StatusCode {
    match class {
        Class::Refused if retry == Some(Retry::Safe) => StatusCode::SERVICE_UNAVAILABLE,
        Class::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::Denied => StatusCode::FORBIDDEN,
        Class::UnderWay => StatusCode::CONFLICT,
        class => status(class),
    }
}

/// The status for a caller that asks what became of a call: it says by itself what is wrong, unlike those of the routes.
pub fn status_of_stored(class: Class, retry: Retry) -> StatusCode {
    match class {
        // Odoo does not accept the credential.
        Class::Refused if retry == Retry::No => StatusCode::UNAUTHORIZED,
        class => hook_status(class, Some(retry)),
    }
}
