//! WAF: who may reach an endpoint at all.

mod web_acl_association;

pub use web_acl_association::WebAclAssociation;
