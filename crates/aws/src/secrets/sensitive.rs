//! A value that must not be seen.

use bedplate_model::CallError;

/// A secret text on its way from one call to the next. It has no `Debug`, `Display`, `Clone` or `Serialize`, so that it
/// gets into no message, state or log.
pub(crate) struct Sensitive(String);

impl Sensitive {
    /// Takes the text over.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the call that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Strikes the text from what a service says of a failed call that was given it.
    pub(crate) fn redact(&self, mut error: CallError) -> CallError {
        if !self.0.is_empty() {
            error.message = error.message.replace(&self.0, "***");
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::Class;

    #[test]
    fn an_error_does_not_repeat_the_value() {
        let error = CallError::local("x:Y", "InvalidParameterValue", "hunter2 is too short", Class::Invalid);
        assert_eq!(Sensitive::new("hunter2".to_owned()).redact(error).message, "*** is too short");
    }
}
