#include <coppice/runtime/worker/worker_process.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/worker/exception_text.hpp>
#include <coppice/runtime/worker/resident_memory.hpp>

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fmt/core.h>
#include <new>
#include <stdexcept>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coppice {

namespace {

using clock = std::chrono::steady_clock;

bool has_leases(const os::unique_fd& ledger) {
  struct stat about {};
  return ::fstat(ledger.get(), &about) == 0 && about.st_size >= static_cast<off_t>(lease_file_size);
}

} // namespace

worker_process::worker_process(worker_boot boot, logger& log) : boot_{std::move(boot)}, log_{log} {}

// ---- from hello to the end

int worker_process::run(const std::function<void(worker&)>& body) {
  try {
    open();
    body(facade_);
    if (!has_main_) become_ready();
    run_loop();
  } catch (...) {
    fail_with(std::current_exception());
  }
  return exit_code_;
}

/// An exception leaves run() as it was thrown, and the loop goes on behind it (asio, io_context:
/// "Effect of exceptions thrown from handlers").
void worker_process::run_loop() {
  while (phase_ != phase::ended) {
    try {
      loop_.run();
      return;
    } catch (...) {
      on_exception(std::current_exception());
    }
  }
}

/// The others who are served here are not to suffer for what one handler met: this process goes on
/// until another has taken its place.
void worker_process::on_exception(std::exception_ptr thrown) {
  const bool no_memory = [&] {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
      return true;
    } catch (...) {
      return false;
    }
  }();
  // Without memory nothing can be relied on any more, and before ready there is nothing to go on
  // with.
  if (no_memory || phase_ == phase::starting) return fail_with(std::move(thrown));
  retire({text_of(thrown), true});
}

template <class Handler>
void worker_process::guarded(Handler work) {
  try {
    work();
  } catch (...) {
    on_exception(std::current_exception());
  }
}

void worker_process::open() {
  control_.emplace(loop_, std::move(boot_.control));
  say(wire::hello{wire::protocol_version, static_cast<std::int32_t>(::getpid()),
                  boot_.incarnation});
  open_messages();
  auto ledger = ledger_writer::open(boot_.ledger);
  if (!ledger) throw std::runtime_error{ledger.error().message()};
  ledger_.emplace(std::move(*ledger));
  if (!has_leases(boot_.ledger)) boot_.ledger.reset(); // the mapping stays
  leases_.emplace(std::move(boot_.ledger));            // maps nothing before the first lease
  auto set = connection_set::open(loop_, &facade_, &*ledger_);
  if (!set) throw std::runtime_error{set.error().message()};
  connections_ = std::move(*set);
  connections_->on_empty([this] { end_if_drained(); });
  connections_->on_room([this] { say(wire::room{}); });
  datagrams_.on_handled([this] { connections_->served_one(); });
  datagrams_.on_thrown([this](std::exception_ptr thrown) { on_exception(std::move(thrown)); });
  datagrams_.on_failed([this](std::error_code why) {
    retire({"receive datagrams: " + why.message(), true});
  });
  connections_->on_thrown([this](std::exception_ptr thrown) { on_exception(std::move(thrown)); });
  signals_.emplace(loop_, std::initializer_list<int>{SIGTERM, SIGINT, SIGQUIT},
                   [this](int number) { on_signal(number); });
  control_->start(*this);
  data_->start(*this);
  plan_beat();
}

void worker_process::open_messages() {
  data_.emplace(loop_, std::move(boot_.data));
  messages_.emplace(messenger::parts{
      .loop = &loop_,
      .id = boot_.worker_id,
      .incarnation = boot_.incarnation,
      .out = [this](std::span<const std::byte> frames) { return data_->send(frames); },
      .unsent = [this] { return data_->queued_bytes(); },
      .thrown = [this](std::exception_ptr thrown) { on_exception(std::move(thrown)); },
      .log = &log_});
  messages_->on_rest([this] { end_if_drained(); });
}

template <class Message>
bool worker_process::say(const Message& message) {
  return control_ && control_->send(wire::encode_control(message, out_));
}

void worker_process::become_ready() {
  if (phase_ != phase::starting) return;
  phase_ = phase::ready;
  say(wire::ready{});
  if (retires_) say(*retires_);
}

// Never from inside a call that user code makes: it calls back.
void worker_process::drain(bool yield) {
  if (phase_ >= phase::draining) return;
  phase_ = phase::draining;
  for (std::size_t i = 0; i < on_drain_.size(); ++i) guarded(on_drain_[i]);
  datagrams_.close();
  connections_->drain(yield);
  if (on_drain_.empty() && main_running_) cancel_main_.emit(asio::cancellation_type::terminal);
  end_if_drained();
}

void worker_process::hurry() {
  drain(false);
  if (phase_ == phase::ended) return;
  connections_->hurry();
  if (phase_ == phase::ended) return;
  say(wire::bye{});
  end(exit_code_);
}

void worker_process::end_if_drained() {
  if (phase_ != phase::draining || connections_->size() > 0 || main_running_) return;
  if (messages_->busy() > 0 || (asked_to_drain_ && !messages_->has_last())) return;
  data_->flush();
  if (data_->queued_bytes() > 0) return; // until on_room
  say(wire::bye{});
  end(exit_code_);
}

void worker_process::end(int code) {
  phase_ = phase::ended;
  exit_code_ = code;
  if (data_) data_->flush();
  loop_.stop();
}

void worker_process::stop() {
  asio::post(loop_, [this] { drain(true); });
}

void worker_process::fail(const std::string& why) {
  if (phase_ == phase::ended) return;
  if (!say(wire::failed{why})) log_.error("{}", why);
  end(1);
}

void worker_process::fail_with(std::exception_ptr why) { fail(text_of(why)); }

/// The first wish counts, and is said once the primary knows this worker as ready. One that drains
/// ends anyhow.
void worker_process::retire(wire::retire wish) {
  if (phase_ == phase::ended) return;
  if (wish.failed) {
    exit_code_ = 1;
    log_.error("{}", wish.reason);
    if (phase_ == phase::draining) say(wire::failed{wish.reason});
  }
  if (retires_) return;
  retires_ = std::move(wish);
  if (phase_ == phase::ready) say(*retires_);
}

// ---- a body that is a coroutine

void worker_process::run_coroutine(std::function<asio::awaitable<void>(worker&)> body) {
  has_main_ = main_running_ = true;
  asio::co_spawn(loop_, main_coroutine(std::move(body)),
                 asio::bind_cancellation_slot(cancel_main_.slot(),
                                              [this](std::exception_ptr) { main_ended(); }));
  // Behind the coroutine's start in the loop's queue: it has run up to its first suspension by
  // then.
  asio::post(loop_, [this] {
    if (main_running_) become_ready();
  });
}

asio::awaitable<void>
worker_process::main_coroutine(std::function<asio::awaitable<void>(worker&)> body) {
  try {
    co_await body(facade_);
  } catch (...) {
    main_error_ = std::current_exception();
  }
  main_running_ = false;
}

void worker_process::main_ended() {
  if (phase_ == phase::ended) return;
  main_running_ = false;
  if (main_error_ && !(draining() && is_errno(code_of(main_error_), ECANCELED)))
    return fail_with(main_error_);
  become_ready(); // it may have ended before it ever suspended
  drain(true);
  end_if_drained();
}

// ---- the primary

void worker_process::on_packet(std::span<const std::byte> packet, std::vector<os::unique_fd> fds) {
  if (phase_ == phase::ended) return;
  auto message = wire::decode_control(packet);
  if (!message) return fail(message.error().message());
  if (std::holds_alternative<wire::unknown>(*message)) return;
  const auto* offer = std::get_if<wire::connections>(&*message);
  if (offer && fds.empty()) // recvmsg(2) had no free numbers for them: the primary has its copies
    return hand_back(offer->items, "no free descriptors here");
  if (fds.size() != wire::descriptors_of(*message))
    return fail(fmt::format("control packet {}: {} descriptors came with it, not {}",
                            wire::name_of(*message), fds.size(), wire::descriptors_of(*message)));
  if (offer) {
    take(offer->items, fds);
  } else if (const auto* given = std::get_if<wire::datagrams>(&*message)) {
    take(*given, fds);
  } else if (const auto* end = std::get_if<wire::drain>(&*message)) {
    asked_to_drain_ = true;
    drain(end->yield != 0);
  } else if (const auto* about = std::get_if<wire::message_room>(&*message)) {
    messages_->room_changed(about->name.empty() ? address{about->id} : address{about->name},
                            about->room);
  } else {
    fail(fmt::format("control packet {}: it is not for a worker", wire::name_of(*message)));
  }
}

void worker_process::take(const wire::datagrams& given, std::vector<os::unique_fd>& sockets) {
  if (phase_ >= phase::draining) return;
  if (!datagrams_.has_service())
    return fail("a udp endpoint came, and the body serves none: it does not call on_datagram");
  for (std::size_t i = 0; i < sockets.size(); ++i)
    datagrams_.add(std::move(sockets[i]), given.listeners[i]);
}

void worker_process::take(const std::vector<wire::offered>& items,
                          std::vector<os::unique_fd>& sockets) {
  std::size_t i = 0;
  for (; i < items.size() && phase_ < phase::draining; ++i) {
    if (!connections_->has_service())
      return fail("a connection came, and the body serves none: it calls neither on_connection nor "
                  "serve");
    // Without a lease the connection is lost with this process from here on; so it is said before
    // the first byte is taken.
    if (ledger_->took_one()) say(wire::room{});
    const auto& item = items[i];
    if (item.lease == 0) {
      connections_->adopt(std::move(sockets[i]), item.id, item.listener);
    } else if (const auto adopted = connections_->adopt(std::move(sockets[i]), item.id,
                                                        item.listener, *leases_, item.lease - 1);
               !adopted) {
      return fail(adopted.error().message());
    }
  }
  if (i == items.size() || phase_ == phase::ended) return;
  hand_back(std::span{items}.subspan(i), "draining");
}

void worker_process::hand_back(std::span<const wire::offered> items, std::string_view why) {
  wire::handed_back back;
  back.reason = why;
  for (const auto& item : items) back.connections.push_back(item.id);
  ledger_->handed_back(back.connections.size());
  say(back);
}

void worker_process::on_room() {
  messages_->outlet_has_room();
  end_if_drained();
}

void worker_process::on_envelopes(std::span<const std::span<const std::byte>> bodies) {
  if (phase_ == phase::ended) return;
  if (const auto taken = messages_->receive(bodies); !taken) fail(taken.error().message());
}

/// Either channel; the first one counts.
void worker_process::on_closed(const error& why) {
  if (phase_ == phase::ended || std::exchange(orphaned_, true)) return;
  if (why.verb == "closed") {
    log_.warn("the primary has gone: finishing what is in progress");
  } else {
    log_.error("{}: finishing what is in progress", why.message());
    exit_code_ = 1;
  }
  asked_to_drain_ = false; // nobody will say which message is the last
  messages_->close();
  orphan_timer_.expires_after(limits::orphan_grace);
  orphan_timer_.async_wait([this](const std::error_code& stopped) {
    if (!stopped) hurry();
  });
  drain(false);
}

void worker_process::on_signal(int number) {
  if (phase_ < phase::draining) {
    log_.debug("signal {}: draining", number);
    drain(true);
  } else {
    log_.debug("signal {}: closing {} connections", number, connections_->size());
    hurry();
  }
}

// ---- heartbeat

/// On whole seconds of the monotonic clock, so that the workers of a machine wake it together.
void worker_process::plan_beat() {
  const auto since = clock::now().time_since_epoch();
  const auto period = std::chrono::duration_cast<clock::duration>(limits::heartbeat);
  beat_timer_.expires_at(clock::time_point{(since / period + 1) * period});
  beat_timer_.async_wait([this](const std::error_code& stopped) {
    if (!stopped) beat();
  });
}

void worker_process::beat() {
  const auto late =
      std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - beat_timer_.expiry());
  ledger_->beat(static_cast<std::uint64_t>(std::max<std::int64_t>(late.count(), 0)),
                resident_memory(), static_cast<std::uint32_t>(connections_->size()));
  plan_beat();
}

} // namespace coppice
