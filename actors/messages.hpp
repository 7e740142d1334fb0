#pragma once
// What the cluster's actors say to each other. One struct a message; who sends it to whom stands
// beside it. A connection's way is accepted_connections -> handoff -> (the channel) ->
// credit_restored, or connections_returned and handoff again.

#include <coppice/actors/accepted_socket.hpp>
#include <coppice/actors/dispatch_table.hpp>
#include <coppice/actors/mail.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/link/worker_link.hpp>
#include <coppice/runtime/net/first_bytes.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/supervisors/messages.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coppice {

/// How an I/O object's event becomes an actor's message: through the loop, never inline. Nothing
/// happens if the actor has ended.
template <class Message>
using deliver_to = std::function<void(const caf::actor_addr&, Message)>;

// ---- listener

struct connection_waits {}; ///< its socket -> listener
struct rest_over {};        ///< listener -> itself
struct start_accepting {    ///< dispatcher -> listener
  caf::actor dispatcher;
};
struct stop_accepting {}; ///< dispatcher -> listener: nobody has credit
struct end_accepting {    ///< primary -> listener: accept what waits, then close the socket
  caf::actor reply_to;
};
struct listener_up { ///< listener -> dispatcher
  caf::actor listener;
};

// ---- dispatcher

struct accepted_connections { ///< listener -> dispatcher
  std::uint32_t listener = 0;
  port::moved<std::vector<os::unique_fd>> sockets;
};
struct first_bytes_came { ///< first_bytes -> dispatcher
  std::vector<first_bytes_news> news;
};
struct first_bytes_overdue { ///< dispatcher -> itself: those before this mark have waited enough
  std::uint64_t mark = 0;
};
struct seat_free {};       ///< the pool's seats -> dispatcher: there is one again
struct everything_passed { ///< listener -> dispatcher: its last message
  caf::actor reply_to;
};
struct accepting_ended {}; ///< dispatcher -> primary: all that was accepted has been given out

struct worker_up { ///< worker_proxy -> dispatcher
  worker_key worker;
  caf::actor proxy;
  std::size_t credit = 0;
  std::size_t open = 0; ///< connections that it has
};
struct credit_restored { ///< worker_proxy -> dispatcher: the worker has taken this many
  worker_key worker;
  std::size_t credit = 0;
  std::size_t closed = 0; ///< of its connections, since it said so last
};
struct connections_returned { ///< worker_proxy -> dispatcher: not taken, for whatever reason
  port::moved<std::vector<accepted_socket>> connections;
};
struct parking_over { ///< dispatcher -> itself: nobody has been ready for limits::park_timeout
  std::uint64_t wait = 0;
};
struct worker_leaving { ///< worker_proxy -> dispatcher: give it nothing more
  worker_key worker;
};
struct worker_gone { ///< worker_proxy -> dispatcher: its last message; worker_forgotten answers it
  worker_key worker;
  caf::actor proxy;
};

// ---- worker_proxy

struct handoff { ///< dispatcher -> worker_proxy
  port::moved<std::vector<accepted_socket>> connections;
};
struct introduce_yourself {}; ///< dispatcher -> worker_proxy
struct worker_forgotten {};   ///< dispatcher -> worker_proxy
struct link_told {            ///< the link -> worker_proxy
  link_event event;
};
struct sweep_taken {};  ///< worker_proxy -> itself: look at what was taken, close our copies
struct refusal_over {}; ///< worker_proxy -> itself: a worker that refused may be asked again
struct exit_overdue {}; ///< worker_proxy -> itself: the channel is closed, or SIGABRT was sent, and
                        ///< the process is still there
struct health_look_due {}; ///< worker_proxy -> itself: read the heartbeat

// ---- slot_mailbox

struct mail_for_you { ///< worker_proxy, slot_mailbox, primary_mailbox -> slot_mailbox
  port::moved<mail> letters;
};
struct process_news { ///< worker_proxy -> its slot's slot_mailbox
  enum class kind { exists, ready, leaving, has_room, gone };
  kind what = kind::exists;
  std::uint64_t incarnation = 0;
  std::weak_ptr<worker_link> link{}; ///< exists: where its messages go
};
struct room_told { ///< slot_mailbox -> the mailbox of a sender
  wire::message_room about;
};
struct end_mail {}; ///< the tree -> slot_mailbox: its slot is no more

} // namespace coppice

COPPICE_MESSAGES_BEGIN(cluster, 200)
COPPICE_MESSAGE(cluster, coppice::connection_waits)
COPPICE_MESSAGE(cluster, coppice::rest_over)
COPPICE_LOCAL_MESSAGE(cluster, coppice::start_accepting)
COPPICE_MESSAGE(cluster, coppice::stop_accepting)
COPPICE_LOCAL_MESSAGE(cluster, coppice::end_accepting)
COPPICE_LOCAL_MESSAGE(cluster, coppice::listener_up)
COPPICE_LOCAL_MESSAGE(cluster, coppice::accepted_connections)
COPPICE_LOCAL_MESSAGE(cluster, coppice::everything_passed)
COPPICE_MESSAGE(cluster, coppice::accepting_ended)
COPPICE_LOCAL_MESSAGE(cluster, coppice::worker_up)
COPPICE_LOCAL_MESSAGE(cluster, coppice::credit_restored)
COPPICE_LOCAL_MESSAGE(cluster, coppice::connections_returned)
COPPICE_LOCAL_MESSAGE(cluster, coppice::worker_leaving)
COPPICE_LOCAL_MESSAGE(cluster, coppice::worker_gone)
COPPICE_LOCAL_MESSAGE(cluster, coppice::handoff)
COPPICE_MESSAGE(cluster, coppice::introduce_yourself)
COPPICE_MESSAGE(cluster, coppice::worker_forgotten)
COPPICE_LOCAL_MESSAGE(cluster, coppice::link_told)
COPPICE_MESSAGE(cluster, coppice::sweep_taken)
COPPICE_MESSAGE(cluster, coppice::refusal_over)
COPPICE_MESSAGE(cluster, coppice::exit_overdue)
COPPICE_LOCAL_MESSAGE(cluster, coppice::parking_over)
COPPICE_MESSAGE(cluster, coppice::health_look_due)
COPPICE_LOCAL_MESSAGE(cluster, coppice::first_bytes_came)
COPPICE_LOCAL_MESSAGE(cluster, coppice::first_bytes_overdue)
COPPICE_LOCAL_MESSAGE(cluster, coppice::mail_for_you)
COPPICE_LOCAL_MESSAGE(cluster, coppice::process_news)
COPPICE_LOCAL_MESSAGE(cluster, coppice::room_told)
COPPICE_MESSAGE(cluster, coppice::end_mail)
COPPICE_MESSAGE(cluster, coppice::seat_free)
COPPICE_MESSAGES_END(cluster)
