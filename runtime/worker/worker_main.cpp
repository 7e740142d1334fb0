#include <coppice/runtime/worker/worker_main.hpp>

#include <coppice/runtime/lease/ledger.hpp>
#include <coppice/runtime/messages/own_messages.hpp>
#include <coppice/runtime/os/fd_passing.hpp>
#include <coppice/runtime/os/memfd.hpp>
#include <coppice/runtime/os/socket_pair.hpp>
#include <coppice/runtime/wire/control.hpp>
#include <coppice/runtime/worker/connection.hpp>
#include <coppice/runtime/worker/worker_process.hpp>

#include <charconv>
#include <sys/socket.h>
#include <utility>

namespace coppice {

int run_worker(worker_boot boot, const worker_body& body, logger& log) {
  return worker_process{std::move(boot), log}.run(body);
}

void rehearse_worker(logger& log) {
  auto control = os::seqpacket_pair();
  auto data = os::stream_pair();
  auto ledger = os::sealed_memfd("coppice-rehearsal", ledger_size);
  if (!control || !data || !ledger) return;
  wire::buffer out;
  (void)os::send_with_fds(control->ours.get(), wire::encode_control(wire::drain{}, out), {});
  const auto last = last_message(0);
  (void)::send(data->ours.get(), last.data(), last.size(), MSG_NOSIGNAL);
  worker_boot boot;
  boot.group = boot.name = "rehearsal";
  boot.control = std::move(control->theirs);
  boot.data = std::move(data->theirs);
  boot.ledger = *std::move(ledger);
  (void)run_worker(
      std::move(boot), [](worker&) {}, log);
}

void detail::run_body(worker& self, std::function<asio::awaitable<void>(worker&)> body) {
  self.run_coroutine(std::move(body));
}

// ---- worker: all of it is worker_process's

std::string_view worker::name() const noexcept { return process_.boot().name; }
std::string_view worker::group() const noexcept { return process_.boot().group; }

unsigned worker::slot() const noexcept {
  const std::string_view all = name();
  const auto slash = all.rfind('/');
  unsigned number = 0;
  if (slash != all.npos) std::from_chars(all.data() + slash + 1, all.data() + all.size(), number);
  return number;
}

std::uint64_t worker::id() const noexcept { return process_.boot().worker_id; }
std::uint64_t worker::incarnation() const noexcept { return process_.boot().incarnation; }
asio::io_context& worker::context() noexcept { return process_.loop(); }
worker::executor_type worker::get_executor() noexcept { return process_.loop().get_executor(); }
messenger& worker::messages() noexcept { return process_.messages(); }
logger& worker::log() noexcept { return process_.log(); }

void worker::on_connection(connection_factory make, protection movable) {
  process_.serve_with(std::move(make), movable);
}
void worker::on_datagram(std::function<void(datagram&)> each, datagram_options options) {
  process_.receive_with(std::move(each), options);
}
void worker::on_drain(std::function<void()> f) { process_.on_drain(std::move(f)); }
bool worker::draining() const noexcept { return process_.draining(); }
void worker::fail(std::string why) { process_.fail(why); }
void worker::retire(std::string why) { process_.retire({std::move(why), false}); }
void worker::retire_after_failure(std::string why) { process_.retire({std::move(why), true}); }
void worker::stop() { process_.stop(); }

void worker::run_coroutine(std::function<asio::awaitable<void>(worker&)> body) {
  process_.run_coroutine(std::move(body));
}

} // namespace coppice
