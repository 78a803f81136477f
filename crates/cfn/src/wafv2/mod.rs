//! WAF: web ACLs in front of endpoints.

mod web_acl_association;

pub use web_acl_association::WebAclAssociation;
