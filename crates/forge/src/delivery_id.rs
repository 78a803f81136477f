//! How a delivery is called: each host has a header of its own for that.

use contract::DeliveryId;

use crate::{
    delivery::Delivery,
    host::{self, GitHost},
};

impl Delivery {
    /// The sender's ID of the delivery, which is the same for a redelivery. Without one that is
    /// safe in a log line, the request's own ID.
    pub fn id(&self) -> DeliveryId {
        self.id_by(host::detect(&self.headers))
    }

    /// The same, by the host that was detected.
    pub(crate) fn id_by(&self, host: &dyn GitHost) -> DeliveryId {
        let mut values = host.delivery_id_headers().iter().filter_map(|name| self.header(name));
        values.find_map(|value| value.parse().ok()).unwrap_or_else(|| self.request_id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sender;

    fn id(headers: &[(&str, &str)]) -> String {
        let mut delivery = Delivery::new("request-1".parse().unwrap(), Vec::new());
        delivery.headers = sender::headers(headers);
        delivery.id().to_string()
    }

    #[test]
    fn the_senders_id_goes_before_ours() {
        assert_eq!(id(&[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "72d3162e")]), "72d3162e");
        assert_eq!(id(&[("x-gitlab-event", "Push Hook"), ("x-gitlab-event-uuid", "u"), ("idempotency-key", "k")]), "k");
        assert_eq!(id(&[("x-gitlab-event", "Push Hook"), ("x-gitlab-event-uuid", "u")]), "u");
    }

    #[test]
    fn missing_or_invalid_id_is_replaced() {
        assert_eq!(id(&[]), "request-1");
        assert_eq!(id(&[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "two words")]), "request-1");
        assert_eq!(id(&[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", &"a".repeat(129))]), "request-1");
    }
}
