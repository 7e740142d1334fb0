#pragma once
// A loop, a log, and workers made by a spawner: with the test's ends of their channels.

#include "helper_talk.hpp"
#include "support/catch.hpp"
#include "support/log_lines.hpp"
#include "unit/os/processes.hpp"

#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/fd_table.hpp>
#include <coppice/runtime/os/memfd.hpp>
#include <coppice/runtime/os/socket_pair.hpp>
#include <coppice/runtime/spawn/spawner.hpp>

#include <asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::spawn_test {

/// One spawn request, seen from the primary.
struct made {
  os::unique_fd control;
  os::unique_fd data;
  os::unique_fd ledger;
  unsigned answers = 0;
  std::optional<error> failed;
  std::optional<os::child_process> child;

  /// What the worker says; it must say something.
  std::string hears() {
    const auto text = hear(control.get(), 30'000);
    REQUIRE(text);
    return *text;
  }
  os::exit_status ends() {
    REQUIRE(child);
    return test::end_of(*child);
  }
  /// The worker's channel is closed, and the worker ends well.
  void lets_go() {
    control.reset();
    CHECK(ends().well());
  }
};

struct spawn_fixture {
  asio::io_context loop;
  test::log_lines log;
  std::deque<made> all;
  std::vector<wire::setup_step> setup; ///< of every request

  made& spawn(spawner& by, std::string group, std::uint64_t id = 1, os::unique_fd in = {},
              os::unique_fd out = {}, os::unique_fd err = {}) {
    auto& it = all.emplace_back();
    auto control = *os::seqpacket_pair();
    auto data = *os::stream_pair();
    it.control = std::move(control.ours);
    it.data = std::move(data.ours);
    it.ledger = *os::sealed_memfd("ledger", 4096);
    spawn_request request;
    request.name = group + "/" + std::to_string(id);
    request.group = std::move(group);
    request.worker_id = id;
    request.incarnation = 10 + id;
    request.control = std::move(control.theirs);
    request.data = std::move(data.theirs);
    request.ledger = *os::duplicate(it.ledger.get());
    request.in = std::move(in);
    request.out = std::move(out);
    request.err = std::move(err);
    request.setup = setup;
    by.spawn(std::move(request), [&it](result<os::child_process> answer) {
      ++it.answers;
      if (answer)
        it.child = *std::move(answer);
      else
        it.failed = std::move(answer.error());
    });
    CHECK(it.answers == 0); // never from inside the call
    return it;
  }

  void until_answered(const made& it) {
    test::run_until(loop, [&] { return it.answers > 0; });
  }

  /// As `spawn`, and the worker exists.
  made& spawned(spawner& by, std::string group, std::uint64_t id = 1) {
    auto& it = spawn(by, std::move(group), id);
    until_answered(it);
    INFO((it.failed ? it.failed->message() : ""));
    REQUIRE(it.child);
    return it;
  }

  /// The exit status of a worker that runs by itself.
  os::exit_status end_of(spawner& by, std::string group, std::uint64_t id = 1) {
    return spawned(by, std::move(group), id).ends();
  }
};

/// The value of `key=value ` or `key=[value]` in a report.
inline std::string field(const std::string& report, const std::string& key) {
  const auto at = (" " + report).find(" " + key + "=");
  REQUIRE(at != std::string::npos);
  const auto begin = at + key.size() + 1;
  if (report[begin] == '[') return report.substr(begin + 1, report.find(']', begin) - begin - 1);
  return report.substr(begin, report.find(' ', begin) - begin);
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

inline std::string end_of_pipe(int fd) {
  std::string text;
  char bytes[256];
  for (ssize_t n; (n = ::read(fd, bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<std::size_t>(n));
  return text;
}

struct pipe_ends {
  os::unique_fd read;
  os::unique_fd write;
  pipe_ends() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
};

} // namespace coppice::spawn_test
