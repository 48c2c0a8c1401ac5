//! The frame around a page: its title, the ways to other pages, and the person that is signed in.

/// What `layout.html` shows around a page.
#[derive(Debug, Clone)]
pub struct Frame {
    pub title: String,
    /// The ways to other pages.
    pub links: Vec<Link>,
    pub person: Option<Person>,
    /// What has just been done, as a sentence.
    pub notice: Option<String>,
}

/// A way to another page.
#[derive(Debug, Clone)]
pub struct Link {
    pub path: &'static str,
    pub label: &'static str,
    /// The page that is shown, or one below it.
    pub is_here: bool,
}

/// The person that is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub role: &'static str,
    /// What every form of the page sends back as `csrf`.
    pub csrf: String,
}

impl Frame {
    /// A frame with a title and nothing else.
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), links: Vec::new(), person: None, notice: None }
    }

    /// What a form sends back as `csrf`; empty where nobody is signed in.
    pub fn csrf(&self) -> &str {
        self.person.as_ref().map_or("", |person| &person.csrf)
    }
}
