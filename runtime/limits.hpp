#pragma once
// Every bound of the runtime, by name, and how the bounds relate. A queue or a wait without a line
// here is a defect.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace coppice::limits {

using namespace std::chrono_literals;

// ---- the wire
// ------------------------------------------------------------------------------------------
/// One control packet (SOCK_SEQPACKET). Well below net.core.wmem_default (212,992), so that one
/// always fits.
inline constexpr std::size_t control_packet = 64 * 1024;
/// Descriptors in one control packet. The kernel's limit is 253 (SCM_MAX_FD, unix(7)).
inline constexpr std::size_t control_fds = 64;
/// Control packets that wait for room in the socket.
inline constexpr std::size_t control_queue = 1024;
/// Packets taken from a control channel, and reads from a data channel, in one round of the loop.
inline constexpr std::size_t control_batch = 64;
inline constexpr std::size_t data_batch = 4;
/// What is still taken from the channels of a dead process. More than their sockets hold: whoever
/// goes on writing is a descendant that must not hold up its end.
inline constexpr std::size_t control_drain = 1024;
inline constexpr std::size_t data_drain = 4 * 1024 * 1024;
/// How long a control channel waits after the kernel refused descriptors because too many are in
/// flight (ETOOMANYREFS, unix(7)): nothing tells when there is room again.
inline constexpr auto descriptors_rest = 10ms;
/// Numbers in one list of a control packet. Also what bounds the memory that a forged header can
/// ask for: msgpack_depth * control_ids objects.
inline constexpr std::size_t control_ids = 4096;
/// One envelope on the data channel, length prefix not counted.
inline constexpr std::size_t envelope = 16 * 1024 * 1024;
/// Bytes that wait for room on a data channel.
inline constexpr std::size_t data_queue = 1024 * 1024 + envelope;
/// Bytes taken from a data channel in one read.
inline constexpr std::size_t data_read = 256 * 1024;
/// The `type` of an envelope.
inline constexpr std::size_t envelope_type = 255;
/// A name in an envelope's `from` or `to`.
inline constexpr std::size_t address_name = 255;
/// Nesting of msgpack values that are decoded.
inline constexpr std::size_t msgpack_depth = 32;
/// Characters of a reason, an error text or a name that crosses a channel.
inline constexpr std::size_t reason = 4096;

static_assert(control_fds <= 253, "SCM_MAX_FD");
static_assert(control_ids * 9 + 2 * reason <= control_packet, "a full list and its reason fit");

// ---- messages
// ----------------------------------------------------------------------------------------------
/// Messages, and their bytes, that wait for a worker that is being started or replaced.
inline constexpr std::size_t mail_messages = 1024;
inline constexpr std::size_t mail_bytes = 1024 * 1024;
/// Bytes that wait for room on a worker's data channel: above the first its senders are asked to
/// stop, down to the second they may go on.
inline constexpr std::size_t mail_high = 1024 * 1024;
inline constexpr std::size_t mail_low = 256 * 1024;
/// Senders, each with a way to write the address, that wait for one worker to have room.
inline constexpr std::size_t mail_stopped = 4096;
/// Asks that one worker has been given and has not answered, and those that one has made.
inline constexpr std::size_t open_asks = 64 * 1024;
/// Topics that somebody of a tree is subscribed to.
inline constexpr std::size_t topics = 64 * 1024;
/// The longest that an ask may wait for its answer.
inline constexpr auto ask_longest = 24h;

static_assert(mail_low < mail_high && mail_high + envelope <= data_queue);

// ---- connections
// ---------------------------------------------------------------------------------------
/// Handoffs that a worker has been sent and not yet taken.
inline constexpr std::size_t worker_credit = 64;
/// Accepted connections that wait in the dispatcher for a worker with credit.
inline constexpr std::size_t waiting_connections = 256;
/// Connections accepted in one round of the loop.
inline constexpr std::size_t accept_batch = 64;
/// How long the listener rests after accept failed for want of descriptors or memory.
inline constexpr auto accept_rest = 100ms;
/// Descriptors that the primary keeps free for spawning workers; at a low limit, a quarter of it.
inline constexpr std::size_t reserved_descriptors = 64;
/// How long a worker that handed a connection back gets no other one.
inline constexpr auto refusal_rest = 100ms;
/// How long a taken connection's descriptor may stay open in the primary.
inline constexpr auto taken_sweep = 50ms;
/// First bytes of a connection that a sticky policy looks at, how often it looks, and how long it
/// waits for them: then the connection is given out without.
inline constexpr std::size_t first_bytes = 16 * 1024;
inline constexpr std::size_t first_bytes_looks = 16;
inline constexpr auto first_bytes_wait = 5000ms;
/// Connections of one pool whose first bytes are awaited, besides those that wait for a worker. For
/// one more, the one that has waited longest is given out without: silent clients stop nobody.
inline constexpr std::size_t first_bytes_awaited = 1024;
/// Sockets with news of their first bytes that are looked at in one round of the loop.
inline constexpr int first_bytes_batch = 64;

/// Bytes received in one call, into a buffer that all connections of a worker share.
inline constexpr std::size_t connection_receive = 16 * 1024;
/// Unconsumed input of one connection before nothing more is received, unless its user asks for
/// another limit.
inline constexpr std::size_t connection_input = 128 * 1024;
/// Unsent output of one connection before nothing more is received from it.
inline constexpr std::size_t connection_output = 256 * 1024;
/// Output that a callback leaves to be sent in one call when it returns; more is sent at once.
inline constexpr std::size_t connection_staged = 16 * 1024;
/// Buffers that wait in a worker for the next connection that needs one, and how large one may have
/// grown.
inline constexpr std::size_t spare_buffers = 64;
inline constexpr std::size_t spare_buffer = 64 * 1024;
/// Events of connections handled in one round, and rounds before the worker's other handlers have
/// their turn.
inline constexpr int connection_events = 128;
inline constexpr int connection_rounds = 8;
/// How long the peer of a closed connection may take to end its side, while what it sends is
/// dropped.
inline constexpr auto linger = 5s;
/// How long a closed connection may take no byte of the output that still waits for it.
inline constexpr auto closing_stall = 30s;
/// How late the deadline of a connection may be noticed: one sweep looks at all of them.
inline constexpr auto deadline_sweep = 100ms;

/// Connections under protection that one worker holds at once; further ones are served without.
inline constexpr std::size_t lease_slots = 16 * 1024;
/// Unconsumed input of such a connection that its ledger keeps, and how much of the journal must be
/// free for one receive. An exchange with more is streaming: its worker's death ends it.
inline constexpr std::size_t lease_input = 16 * 1024;
inline constexpr std::size_t lease_receive = 2 * 1024;
/// Bytes of a slot's stage that keep their memory when the connection is over.
inline constexpr std::size_t lease_kept = 16 * 1024;
/// Workers that may die over one exchange, its handler on the CPU, before it is poison; by SIGKILL,
/// which may be anybody's doing, more of them.
inline constexpr std::uint32_t poison_crashes = 2;
inline constexpr std::uint32_t poison_kills = 8;
/// Reports about requests that workers crash over: so many are kept, and so much of such a
/// request's first line stands in the log.
inline constexpr std::size_t crash_reports_kept = 100;
inline constexpr std::size_t crash_report_line = 200;
/// Connections of dead workers that wait while no worker is ready, and for how long.
inline constexpr std::size_t max_parked = 64 * 1024;
inline constexpr auto park_timeout = 10s;
/// Workers that one exchange in progress may be taken from, whoever's fault it is.
inline constexpr std::uint32_t max_moves = 64;

/// The largest datagram that is received whole: more than any that IP has (65,527 bytes). And how
/// many are taken from one socket before the worker's other handlers have their turn.
inline constexpr std::size_t datagram = 64 * 1024;
inline constexpr std::size_t datagram_batch = 32;

static_assert(accept_batch <= waiting_connections);
static_assert(lease_input <= connection_input);
static_assert(connection_receive <= connection_input);
static_assert(connection_staged <= connection_output);

// ---- processes
// -----------------------------------------------------------------------------------------
/// Spawn requests that a zygote has been sent and not yet answered.
inline constexpr std::size_t spawns_in_flight = 64;
/// Spawn requests that wait for a zygote.
inline constexpr std::size_t spawn_queue = 16 * 1024;
/// How long a draining worker waits for the client of a closed connection to close, too: everybody
/// waits for it then.
inline constexpr auto drain_linger = 500ms;
/// Spares of one zygote: forked processes that wait to become workers.
inline constexpr unsigned spares = 64;
/// How long the replacement of a spare that became a worker waits: that worker starts first. And of
/// one that could not be made, or was killed.
inline constexpr auto spare_rest = 2ms;
inline constexpr auto spare_rest_after_failure = 1000ms;
/// How long a new zygote may take to say hello (it runs the spec's preload).
inline constexpr auto zygote_start = 60s;
/// How long a zygote may take to answer the spawn that it is at; then it is killed and replaced.
inline constexpr auto zygote_answer = 5s;
/// A zygote that ends before its hello this often in a row is given up: its requests fail.
inline constexpr unsigned zygote_attempts = 3;
/// Zygotes that a spawn request may have seen die while they worked on it.
inline constexpr unsigned spawn_attempts = 5;
/// How long the replacement of a zygote waits: not at all for the first death in a row, then twice
/// as long each time between these two. An answered request ends the row.
inline constexpr auto zygote_rest_first = 10ms;
inline constexpr auto zygote_rest_max = 1000ms;
/// How long to wait for the process in the middle of a double fork that its zygote's death has
/// interrupted. It has a few system calls to make; then it is killed.
inline constexpr auto zygote_settle = 1s;
/// Readings of a connection's counters until two in a row agree.
inline constexpr int tcp_counter_tries = 1000;
/// How long to wait before looking again at a child that has ended and is not ours to reap yet
/// (a debugger traces it).
inline constexpr auto reap_again = 10ms;
/// A worker whose primary is gone finishes what it can within this time, and is dead soon after.
inline constexpr auto orphan_grace = 800ms;
/// Heartbeats come this far apart.
inline constexpr auto heartbeat = 1s;
/// How often the primary looks at its workers' heartbeats: one wake-up for all of them.
inline constexpr auto health_look = 1s;
/// A look that comes so long after the one before it concludes nothing: the primary was stopped.
inline constexpr auto health_look_late = 1500ms;
/// Longer without a heartbeat, and a worker counts as hung, unless its pool says otherwise.
inline constexpr auto hang_timeout = 30s;
/// The least that a pool may say: a heart that beats once a second must be able to miss a beat, and
/// the primary a look.
inline constexpr auto hang_timeout_least = 3s;
/// How long a hung worker may take to die of SIGABRT, and to leave a core, before SIGKILL.
inline constexpr auto abort_grace = 5s;
/// How long a worker that closed its channel in good order may take to exit before it is killed.
inline constexpr auto exit_grace = 2s;
/// How long a second signal to stop leaves for the drain.
inline constexpr auto hurried_stop = 2s;

// ---- setting up a child
// ---------------------------------------------------------------------------------
/// Steps of one child's settings, and the bytes of all of them: they travel in one control packet.
inline constexpr std::size_t setup_steps = 1024;
inline constexpr std::size_t setup_bytes = 32 * 1024;
/// Supplementary groups of one child, and processors (one more than the highest number).
inline constexpr std::size_t supplementary_groups = 256;
inline constexpr std::size_t processors = 1024;
/// What the user database may say about one account.
inline constexpr std::size_t account_text = 64 * 1024;
/// The stack of a child between clone(2) and execve(2).
inline constexpr std::size_t exec_stack = 64 * 1024;

static_assert(setup_bytes + 4 * reason <= control_packet, "a spawn fits with its settings");
static_assert(setup_steps <= control_ids && processors <= control_ids);

// ---- programs
// ------------------------------------------------------------------------------------------
/// How long one try of a readiness probe may take, and the rest between two.
inline constexpr auto probe_attempt = 1s;
inline constexpr auto probe_rest = 50ms;
/// Bytes of a notification (sd_notify(3)) that are looked at, and notifications in one round.
inline constexpr std::size_t notification = 4096;
inline constexpr std::size_t notify_batch = 16;
/// Bytes taken from a program's output in one round, and what is still taken after its end: more
/// than a pipe holds (1 MiB, /proc/sys/fs/pipe-max-size).
inline constexpr std::size_t output_read = 16 * 1024;
inline constexpr std::size_t output_drain = 2 * 1024 * 1024;
/// A line of a program's output in the log, and how many go there in a second.
inline constexpr std::size_t captured_line = 4096;
inline constexpr std::size_t captured_lines_per_second = 1000;
/// How long what a program leaves running may take to end when it is told to; and how soon the next
/// look is taken while a child is about to end, whose own children may be ours then.
inline constexpr auto stray_grace = 2s;
inline constexpr auto stray_look = 5ms;
/// Children of the primary that are looked at in search of them.
inline constexpr std::size_t children_looked_at = 64 * 1024;
/// Looks for zombies that nobody waits for come this far apart. More than zygote_answer: a worker
/// that is dead before its zygote has answered is nobody's until then.
inline constexpr auto orphan_sweep = 10s;
/// What run_program keeps of each stream unless it is told otherwise, and how long a program may
/// take to end when it is told to.
inline constexpr std::size_t run_output = 1024 * 1024;
inline constexpr auto run_grace = 5s;

static_assert(orphan_sweep > zygote_answer);
static_assert(heartbeat <= health_look && health_look < health_look_late);
static_assert(health_look + health_look_late < hang_timeout_least);
static_assert(hang_timeout_least <= hang_timeout);

// ---- http
// ----------------------------------------------------------------------------------------------
/// The request line, and each header field.
inline constexpr std::size_t http_line = 8 * 1024;
/// The request line and all header fields.
inline constexpr std::size_t http_head = 64 * 1024;
inline constexpr std::size_t http_headers = 100;
/// Empty lines before a request line, which some clients send after a body (RFC 9112, 2.2).
inline constexpr std::size_t http_empty_lines = 4;
/// The content of a request, decoded.
inline constexpr std::size_t http_body = 1024 * 1024;
/// Line of a chunk's size, with its extensions, which nobody reads.
inline constexpr std::size_t http_chunk_line = 1024;
/// A request that is larger stays in one piece no longer: it is taken out of the connection's input
/// as it comes.
inline constexpr std::size_t http_in_place = 16 * 1024;
/// An answer that is larger is streamed.
inline constexpr std::size_t http_whole_answer = 64 * 1024;
/// Content up to this size is copied behind its head, so that one piece is written.
inline constexpr std::size_t http_joined = 4 * 1024;
/// What is made and handed over at once of an answer that is streamed.
inline constexpr std::size_t http_slice = 64 * 1024;
/// Slices of one answer that go out in a row before other connections have their turn.
inline constexpr std::size_t http_slices_in_a_row = 16;
/// Bytes that wait to be written to one connection before no further request is taken from it.
inline constexpr std::size_t http_unsent = 256 * 1024;
inline constexpr auto http_idle = 60s;
inline constexpr auto http_head_time = 10s;
/// The time for each further `http_body_progress` bytes of a request's content: a client that
/// trickles is no better than one that is silent.
inline constexpr auto http_body_time = 30s;
inline constexpr std::size_t http_body_progress = 64 * 1024;
inline constexpr auto http_write_time = 60s;

static_assert(http_line <= http_head && http_in_place <= http_head);
static_assert(http_slice <= http_unsent && http_joined <= http_whole_answer);

// ---- actors
// --------------------------------------------------------------------------------------------
/// Messages that an actor handles before the next actor has its turn.
inline constexpr std::size_t actor_turn = 32;
/// Turns in one round of the actors; then I/O and timers have theirs.
inline constexpr std::size_t actor_round = 64;
/// Rounds that actors have to end in when their system ends with actors alive. Those that others
/// start meanwhile are killed in the next round.
inline constexpr std::size_t kill_rounds = 4096;
/// References to actors, dead or alive, that are kept before the dead are swept out.
inline constexpr std::size_t roster_sweep = 256;

// ---- supervision
// ---------------------------------------------------------------------------------
/// Deaths kept per child, for "why was it restarted?".
inline constexpr std::size_t deaths_kept = 100;
/// The most that a spec may allow as restarts within a period: each is a point in time to remember.
inline constexpr unsigned restarts_counted = 10'000;
/// The most children that a dynamic supervisor may be allowed to have.
inline constexpr unsigned dynamic_children = 10'000;
/// No duration in a spec is longer: sums with it must not overflow.
inline constexpr auto longest_duration = 24h * 366;
/// How long a supervisor that was asked to describe itself waits for those below it.
inline constexpr auto describe_wait = 2s;

} // namespace coppice::limits
