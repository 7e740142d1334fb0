#pragma once
// A worker process that a test plays: what was asked of it is recorded, what it does is told by the
// test.

#include <coppice/runtime/link/worker_link.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coppice::test {

/// What is left of a fake process; it outlives the link, which belongs to the proxy.
struct fake_process {
  worker_link::on_event tell;
  std::vector<std::uint64_t> offered;   ///< ids, in order
  std::vector<std::uint32_t> listeners; ///< of the same
  std::vector<int> sockets; ///< numbers of the sockets offered, to tell connections apart
  std::vector<int> signals;
  std::vector<link_event> unread; ///< what is still in the channels when it dies
  int drains = 0;
  bool asked_to_yield = false;
  // ---- leases
  struct recovery {
    std::uint32_t lease;
    protection level;
    blame whose;
  };
  std::vector<std::uint32_t> datagrams; ///< endpoints whose sockets it was given
  std::vector<std::uint32_t> leases;    ///< of the connections offered, in order
  std::vector<std::uint32_t> returned;  ///< ring entries that nobody has read
  std::uint32_t running = 0;
  std::map<std::uint32_t, carried_lease> put;
  std::vector<recovery> recovered;
  std::function<recovered_lease(const offered_connection&)> recover;
  int room_asked = 0;
  int looks = 0; ///< how often the ledger was read
  bool destroyed = false;
  link_progress ledger;

  void spawned(pid_t pid = 71) { tell(link_spawned{pid}); }
  void says(wire::control_message message) { tell(link_said{std::move(message)}); }
  void exits(int code) { tell(link_exited{{os::exit_status::kind::exited, code, false}}); }
  void is_killed(int number) {
    tell(link_exited{{os::exit_status::kind::signaled, number, false}});
  }
};

class fake_link final : public worker_link {
public:
  explicit fake_link(fake_process& process) : process_{process} {}
  ~fake_link() override { process_.destroyed = true; }

  void start(on_event events) override { process_.tell = std::move(events); }
  bool offer(std::span<const offered_connection> connections) override {
    for (const auto& c : connections) {
      process_.offered.push_back(c.id);
      process_.listeners.push_back(c.listener);
      process_.sockets.push_back(c.socket.get());
      process_.leases.push_back(c.lease);
    }
    return true;
  }
  bool give_datagrams(std::span<const datagram_endpoint> sockets) override {
    for (const auto& each : sockets) process_.datagrams.push_back(each.listener);
    return true;
  }
  void ask_to_drain(std::chrono::milliseconds, bool yield) override {
    ++process_.drains;
    process_.asked_to_yield = yield;
  }
  result<void> put_lease(std::uint32_t slot, std::uint64_t, const carried_lease& lease) override {
    process_.put[slot] = lease;
    return {};
  }
  std::vector<std::uint32_t> returned_leases() override {
    return std::exchange(process_.returned, {});
  }
  std::uint32_t running_lease() override { return process_.running; }
  recovered_lease recover_lease(const offered_connection& c, protection level,
                                blame whose) override {
    process_.recovered.push_back({c.lease, level, whose});
    return process_.recover ? process_.recover(c) : recovered_lease{.goes_on = true};
  }
  void signal(int number) override { process_.signals.push_back(number); }
  link_progress progress() override { return ++process_.looks, process_.ledger; }
  link_progress ask_for_room() override { return ++process_.room_asked, process_.ledger; }
  std::vector<link_event> read_to_end() override { return std::move(process_.unread); }

private:
  fake_process& process_;
};

} // namespace coppice::test
