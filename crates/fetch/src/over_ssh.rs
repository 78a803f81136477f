//! Connects gix, which blocks a thread, with russh, which is asynchronous. It keeps the host's
//! standard error, which contains its refusals.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use bytes::Bytes;
use contract::Repository;
use gix::protocol::transport::{
    Protocol,
    client::{
        MessageKind, WriteMode,
        blocking_io::Transport as _,
        git::{ConnectMode, blocking_io::Connection},
    },
};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};

use crate::wire::Wire;

/// The packet with which a client ends the exchange.
const FLUSH: Bytes = Bytes::from_static(b"0000");

/// gix's transport over a channel.
pub(crate) type OverSsh = Connection<Incoming, Outgoing>;

/// Connects gix to a channel that runs `git-upload-pack`.
pub(crate) fn connect(channel: Channel<Msg>, wire: &Arc<Wire>, repository: &Repository) -> OverSsh {
    let (reader, writer) = channel.split();
    let incoming = Incoming { channel: reader, pending: Bytes::new(), wire: Arc::clone(wire) };
    let outgoing = Outgoing { channel: writer, wire: Arc::clone(wire) };
    let path = repository.path.as_str();
    let host: Option<(String, Option<u16>)> = None;
    Connection::new(incoming, outgoing, Protocol::V2, path, host, ConnectMode::Process, false)
}

/// An exchange that we have ended.
pub(crate) struct Ended {
    channel: ChannelReadHalf,
    wire: Arc<Wire>,
    /// Dropping this closes it.
    _outgoing: Outgoing,
}

/// Ends the exchange as Git does.
pub(crate) fn end(transport: OverSsh) -> Ended {
    let (Incoming { channel, wire, .. }, outgoing) = transport.into_inner();
    let flushed = wire.skip_sent(&FLUSH).is_ok_and(|sent| sent == FLUSH.len());
    let farewell = async {
        // It may have ended already.
        if !flushed {
            outgoing.channel.data_bytes(FLUSH).await.ok();
        }
        outgoing.channel.eof().await.ok();
    };
    wire.part(farewell).ok();
    Ended { channel, wire, _outgoing: outgoing }
}

/// Waits until the host has sent all its messages.
pub(crate) fn hear_out(Ended { mut channel, wire, _outgoing }: Ended) {
    let farewell = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::ExtendedData { data, .. } => wire.hear(&data),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
    };
    if wire.part(farewell).is_err() {
        tracing::debug!("could not end the exchange with the host");
    }
}

/// Sends requests before their turn, and then that nothing follows: so the host ends the exchange
/// by itself.
pub(crate) fn send_ahead(transport: &mut OverSsh, requests: &[Vec<u8>], wire: &Wire) -> io::Result<()> {
    let all = Bytes::from([requests.concat().as_slice(), &FLUSH].concat());
    let request = transport.request(WriteMode::Binary, MessageKind::Flush, false).map_err(io::Error::other)?;
    let (mut writer, _) = request.into_parts();
    writer.write_all(&all)?;
    wire.note_ahead(all);
    Ok(())
}

/// The host's standard output.
pub(crate) struct Incoming {
    channel: ChannelReadHalf,
    pending: Bytes,
    wire: Arc<Wire>,
}

impl Incoming {
    /// The next bytes. Empty when the program has ended.
    fn next(&mut self) -> io::Result<Bytes> {
        loop {
            match self.wire.wait(self.channel.wait())? {
                ChannelMsg::Data { data } => {
                    self.wire.count(data.len())?;
                    return Ok(data);
                }
                ChannelMsg::ExtendedData { data, .. } => self.wire.hear(&data),
                // After the end of standard output, standard error may still follow, so this reads
                // until the channel closes.
                ChannelMsg::Close => return Ok(Bytes::new()),
                _ => {}
            }
        }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_empty() {
            self.pending = self.next()?;
        }
        let bytes = self.pending.split_to(self.pending.len().min(buffer.len()));
        let (filled, _) = buffer.split_at_mut(bytes.len());
        filled.copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

/// The host's standard input.
pub(crate) struct Outgoing {
    channel: ChannelWriteHalf<Msg>,
    wire: Arc<Wire>,
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.wire.skip_sent(bytes)?;
        if sent > 0 {
            return Ok(sent);
        }
        let data = Bytes::copy_from_slice(bytes);
        self.wire.wait(async { self.channel.data_bytes(data).await.ok() })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
