//! gix's transport, over SSH or HTTPS.

use std::{any::Any, borrow::Cow, io, sync::Arc};

use gix::{
    bstr::BStr,
    protocol::transport::{
        Service,
        client::{
            Error, MessageKind, TransportWithoutIO, WriteMode,
            blocking_io::{self, RequestWriter, SetServiceResponse},
        },
    },
};

use crate::{
    over_https::{self, Last, OverHttps},
    over_ssh::{self, OverSsh},
    wire::Wire,
};

/// gix's transport.
pub(crate) enum Transport {
    /// A program that runs on the host.
    Ssh(Box<OverSsh>),
    /// Requests to the host.
    Https(Box<OverHttps>, Last),
}

impl Transport {
    fn own(&self) -> &dyn TransportWithoutIO {
        match self {
            Self::Ssh(transport) => transport,
            Self::Https(transport, _) => transport,
        }
    }
}

impl TransportWithoutIO for Transport {
    fn to_url(&self) -> Cow<'_, BStr> {
        self.own().to_url()
    }

    fn connection_persists_across_multiple_requests(&self) -> bool {
        self.own().connection_persists_across_multiple_requests()
    }

    fn configure(&mut self, _: &dyn Any) -> gix::Result {
        Ok(())
    }
}

impl blocking_io::Transport for Transport {
    fn handshake<'a>(
        &mut self,
        service: Service,
        extra_parameters: &'a [(&'a str, Option<&'a str>)],
    ) -> Result<SetServiceResponse<'_>, Error> {
        match self {
            Self::Ssh(transport) => transport.handshake(service, extra_parameters),
            Self::Https(transport, _) => transport.handshake(service, extra_parameters),
        }
    }

    fn request(
        &mut self,
        write_mode: WriteMode,
        on_into_read: MessageKind,
        trace: bool,
    ) -> Result<RequestWriter<'_>, Error> {
        match self {
            Self::Ssh(transport) => transport.request(write_mode, on_into_read, trace),
            Self::Https(transport, _) => transport.request(write_mode, on_into_read, trace),
        }
    }
}

/// Sends what the conversation will request, as far as that saves a round trip. The conversation
/// doesn't send it again.
pub(crate) fn send_ahead(transport: &mut Transport, requests: &[Vec<u8>], wire: &Wire) -> io::Result<()> {
    match transport {
        Transport::Ssh(transport) => over_ssh::send_ahead(transport, requests, wire),
        Transport::Https(..) => Ok(()),
    }
}

/// An exchange that we have ended.
pub(crate) enum Ended {
    Ssh(over_ssh::Ended),
    Https(Last, Arc<Wire>),
}

/// Ends the exchange as Git does.
pub(crate) fn end(transport: Transport, wire: &Arc<Wire>) -> Ended {
    match transport {
        Transport::Ssh(transport) => Ended::Ssh(over_ssh::end(*transport)),
        Transport::Https(_, last) => Ended::Https(last, Arc::clone(wire)),
    }
}

/// Waits until the host has sent all its messages.
pub(crate) fn hear_out(ended: Ended) {
    match ended {
        Ended::Ssh(ended) => over_ssh::hear_out(ended),
        Ended::Https(last, wire) => over_https::hear_out(&last, &wire),
    }
}
