#pragma once
// The real worker_link: a process made by a spawner, a control and a data channel, a ledger, a
// pidfd. Loop thread only. Destroying it kills a process that still lives, and waits for nothing.

#include <asio/io_context.hpp>
#include <coppice/runtime/channel/control_channel.hpp>
#include <coppice/runtime/channel/data_channel.hpp>
#include <coppice/runtime/lease/ledger.hpp>
#include <coppice/runtime/link/worker_link.hpp>
#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/process_watcher.hpp>
#include <coppice/runtime/spawn/spawner.hpp>
#include <coppice/runtime/wire/buffer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace coppice {

struct process_link_options {
  std::string group;                     ///< the pool or agent: "web"
  std::string name;                      ///< "web/2"
  std::uint64_t worker_id = 0;           ///< messaging address, stable for the slot
  std::uint64_t incarnation = 0;         ///< counts up for the slot
  std::vector<wire::setup_step> setup{}; ///< taken before the worker's own code
  bool leases = false;                   ///< whether its connections are under protection
};

class process_link final : public worker_link,
                           private control_channel::handler,
                           private data_channel::handler {
public:
  process_link(asio::io_context& io, spawner& via, logger& log, process_link_options options);
  ~process_link() override;

  void start(on_event events) override;
  bool offer(std::span<const offered_connection> connections) override;
  bool give_datagrams(std::span<const datagram_endpoint> sockets) override;
  void ask_to_drain(std::chrono::milliseconds patience, bool yield) override;
  result<void> put_lease(std::uint32_t slot, std::uint64_t id, const carried_lease& lease) override;
  std::vector<std::uint32_t> returned_leases() override;
  std::uint32_t running_lease() override;
  recovered_lease recover_lease(const offered_connection& connection, protection level,
                                blame whose) override;
  bool send(std::span<const std::span<const std::byte>> frames) override;
  [[nodiscard]] std::size_t unsent() const override;
  void tell_room(const wire::message_room& about) override;
  void signal(int number) override;
  link_progress progress() override;
  link_progress ask_for_room() override;
  std::vector<link_event> read_to_end() override;

private:
  /// Both channels, the ledger and the request with the child's ends of them.
  result<spawn_request> prepare();
  void on_spawned(result<os::child_process> child);
  void abandon();
  void tell(link_event event);

  void on_packet(std::span<const std::byte> packet, std::vector<os::unique_fd> fds) override;
  void on_envelopes(std::span<const std::span<const std::byte>> envelopes) override;
  void on_room() override;
  void on_closed(const error& why) override;

  asio::io_context& io_;
  spawner& spawner_;
  logger& log_;
  process_link_options options_;
  on_event events_;
  std::vector<link_event>* collecting_ = nullptr; ///< set while read_to_end runs
  std::optional<control_channel> control_;
  std::optional<data_channel> data_;
  std::optional<ledger_reader> ledger_;
  std::optional<lease_reader> leases_;
  std::optional<os::process_watcher> process_;
  int signal_at_birth_ = 0; ///< asked for before there was a process
  bool abandoned_ =
      false; ///< killed before there was a process: one that still comes is not wanted
  bool exited_ = false;
  bool closed_told_ = false;
  wire::buffer out_;
  std::shared_ptr<process_link*> alive_ = std::make_shared<process_link*>(this);
};

} // namespace coppice
