#include <algorithm>
#include <array>
#include <asio/post.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/link/process_link.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/memfd.hpp>
#include <coppice/runtime/os/socket_pair.hpp>
#include <coppice/runtime/os/tcp_counters.hpp>
#include <coppice/runtime/wire/frame.hpp>
#include <coppice/runtime/worker/socket_flags.hpp>

namespace coppice {

process_link::process_link(asio::io_context& io, spawner& via, logger& log,
                           process_link_options options)
    : io_{io},
      spawner_{via},
      log_{log},
      options_{std::move(options)} {}

process_link::~process_link() { *alive_ = nullptr; }

void process_link::start(on_event events) {
  events_ = std::move(events);
  auto request = prepare();
  if (!request) {
    asio::post(io_, [alive = alive_, why = request.error()] {
      if (auto* self = *alive) self->tell(link_spawn_failed{why});
    });
    return;
  }
  control_->start(*this);
  data_->start(*this);
  spawner_.spawn(std::move(*request), [alive = alive_](result<os::child_process> child) {
    if (auto* self = *alive) self->on_spawned(std::move(child));
    // else: nobody wants this worker any more, and dropping it kills it
  });
}

result<spawn_request> process_link::prepare() {
  auto control = os::seqpacket_pair();
  if (!control) return tl::unexpected{control.error()};
  auto data = os::stream_pair();
  if (!data) return tl::unexpected{data.error()};
  auto memory = os::sealed_memfd("coppice-ledger", options_.leases ? lease_file_size : ledger_size);
  if (!memory) return tl::unexpected{memory.error()};
  auto ours = os::duplicate(memory->get());
  if (!ours) return tl::unexpected{ours.error()};
  control_.emplace(io_, std::move(control->ours));
  data_.emplace(io_, std::move(data->ours));
  ledger_.emplace(std::move(*ours));
  if (options_.leases) {
    auto again = os::duplicate(memory->get());
    if (!again) return tl::unexpected{again.error()};
    leases_.emplace(std::move(*again));
  }
  spawn_request request;
  request.group = options_.group;
  request.name = options_.name;
  request.worker_id = options_.worker_id;
  request.incarnation = options_.incarnation;
  request.setup = options_.setup;
  request.control = std::move(control->theirs);
  request.data = std::move(data->theirs);
  request.ledger = std::move(*memory);
  return request;
}

void process_link::on_spawned(result<os::child_process> child) {
  if (abandoned_) return; // and with its owner the process ends
  if (!child) {
    control_->close();
    data_->close();
    tell(link_spawn_failed{child.error()});
    return;
  }
  const pid_t pid = child->pid();
  process_.emplace(io_, std::move(*child), [this](os::exit_status status) {
    exited_ = true;
    tell(link_exited{status});
  });
  if (signal_at_birth_ != 0) signal(signal_at_birth_);
  tell(link_spawned{pid});
}

bool process_link::offer(std::span<const offered_connection> connections) {
  std::array<wire::offered, limits::control_fds> items;
  std::array<int, limits::control_fds> fds{};
  const std::size_t n = connections.size();
  if (n > items.size()) return false;
  for (std::size_t i = 0; i < n; ++i) {
    items[i] = {connections[i].id, connections[i].listener, connections[i].lease};
    fds[i] = connections[i].socket.get();
  }
  return control_->send(wire::encode_connections(std::span{items}.first(n), out_),
                        std::span<const int>{fds}.first(n));
}

bool process_link::give_datagrams(std::span<const datagram_endpoint> sockets) {
  wire::datagrams message;
  std::vector<int> fds;
  for (const auto& each : sockets) {
    message.listeners.push_back(each.listener);
    fds.push_back(each.socket.get());
  }
  return control_->send(wire::encode_control(message, out_), fds);
}

void process_link::ask_to_drain(std::chrono::milliseconds patience, bool yield) {
  const auto ms = static_cast<std::uint32_t>(
      std::clamp<std::chrono::milliseconds::rep>(patience.count(), 0, UINT32_MAX));
  control_->send(wire::encode_control(wire::drain{ms, yield ? 1u : 0u}, out_), {});
}

void process_link::signal(int number) {
  if (exited_ || abandoned_) return;
  if (!process_) {
    if (number == SIGKILL) return abandon();
    signal_at_birth_ = number;
    return;
  }
  if (auto sent = process_->process().signal(number); !sent)
    log_.warn("{}: {}", options_.name, sent.error().message());
}

// A birth can take long, or never come: whoever is in no mood to wait for a worker's end does not
// wait for that.
void process_link::abandon() {
  abandoned_ = true;
  if (control_) control_->close();
  if (data_) data_->close();
  asio::post(io_, [alive = alive_] {
    if (auto* self = *alive)
      self->tell(link_spawn_failed{
          failure_because("spawn", self->options_.name, "given up before it was there").value()});
  });
}

link_progress process_link::progress() {
  if (!ledger_) return {};
  const auto now = ledger_->read();
  if (!now) {
    log_.warn("{}: {}", options_.name, now.error().message());
    return {};
  }
  const auto movable = now->protection <= static_cast<std::uint32_t>(protection::request)
                           ? static_cast<protection>(now->protection)
                           : protection::none;
  return {now->taken, now->handed_back, now->served, movable, now->health, now->ended};
}

link_progress process_link::ask_for_room() {
  if (ledger_) ledger_->ask_to_be_woken();
  return progress();
}

// ---- messages

bool process_link::send(std::span<const std::span<const std::byte>> frames) {
  return data_ && data_->send(frames);
}

std::size_t process_link::unsent() const { return data_ ? data_->queued_bytes() : 0; }

void process_link::tell_room(const wire::message_room& about) {
  if (control_) control_->send(wire::encode_control(about, out_), {}); // else it was never there
}

// ---- leases

result<void> process_link::put_lease(std::uint32_t slot, std::uint64_t id,
                                     const carried_lease& lease) {
  if (!leases_) return worker_link::put_lease(slot, id, lease);
  return leases_->put(slot, id, lease);
}

std::vector<std::uint32_t> process_link::returned_leases() {
  if (!leases_) return {};
  auto entries = leases_->returned();
  if (entries) return std::move(*entries);
  log_.warn("{}: {}", options_.name, entries.error().message());
  return {};
}

std::uint32_t process_link::running_lease() {
  if (!leases_) return 0;
  const auto page = leases_->page();
  return page ? page->running : 0;
}

recovered_lease process_link::recover_lease(const offered_connection& connection, protection level,
                                            blame whose) {
  const std::uint32_t slot = connection.lease - 1;
  const auto cut = [&](const char* why) {
    abort_connection(connection.socket.get());
    return recovered_lease{.goes_on = false, .carried = nullptr, .why_reset = why};
  };
  if (!leases_) return cut("its worker had no leases");
  const auto seen = os::read_tcp_counters(connection.socket.get());
  const auto head = leases_->head(slot);
  if (!seen || !head) return cut("its state cannot be read");
  const lease_witness kernel{seen->taken(), seen->written(), seen->fin_sent, seen->over};
  const auto verdict = judge(*head, connection.id, kernel, level, whose, connection.history);
  switch (verdict.fate) {
  case lease_fate::as_offered:
    return {.goes_on = true, .carried = nullptr};
  case lease_fate::ended:
    return {};
  case lease_fate::reset:
    return cut(verdict.why);
  case lease_fate::goes_on:
    break;
  }
  if (level == protection::none) return cut("its service keeps what only its worker knew");
  auto carried = leases_->carry(slot, verdict);
  if (!carried) return cut("its slot cannot be read");
  return {.goes_on = true, .carried = std::make_unique<carried_lease>(std::move(*carried))};
}

std::vector<link_event> process_link::read_to_end() {
  std::vector<link_event> rest;
  collecting_ = &rest;
  if (control_) control_->drain_now();
  if (data_) data_->drain_now();
  collecting_ = nullptr;
  return rest;
}

void process_link::tell(link_event event) {
  if (collecting_)
    collecting_->push_back(std::move(event));
  else
    events_(std::move(event));
}

// ---- what the channels bring

void process_link::on_packet(std::span<const std::byte> packet, std::vector<os::unique_fd> fds) {
  auto message = wire::decode_control(packet);
  if (!message) return tell(link_closed{message.error(), true});
  if (!std::holds_alternative<wire::unknown>(*message) &&
      fds.size() != wire::descriptors_of(*message))
    return tell(link_closed{failure_because("receive", std::string{wire::name_of(*message)},
                                            fmt::format("{} descriptors came with it, not {}",
                                                        fds.size(), wire::descriptors_of(*message)))
                                .value(),
                            true});
  tell(link_said{std::move(*message)});
}

// They stand one behind the other in the channel's own buffer, which is used again at once.
void process_link::on_envelopes(std::span<const std::span<const std::byte>> envelopes) {
  const auto* first = envelopes.front().data() - wire::frame_prefix_size;
  const auto* end = envelopes.back().data() + envelopes.back().size();
  link_sent sent{std::make_shared<const std::vector<std::byte>>(first, end), {}};
  sent.bodies.reserve(envelopes.size());
  for (const auto body : envelopes)
    sent.bodies.emplace_back(sent.memory->data() + (body.data() - first), body.size());
  tell(std::move(sent));
}

void process_link::on_room() { tell(link_has_room{}); }

// Either channel; the first one says it.
void process_link::on_closed(const error& why) {
  if (closed_told_) return;
  closed_told_ = true;
  tell(link_closed{why, why.verb != "closed"});
}

} // namespace coppice
