// The ledger's protocol, killed at every user instruction: a worker that serves one connection is
// stepped one instruction further each time, killed there, and another worker goes on with what
// its slot and the kernel say. Every client gets its answers byte for byte, and nothing is run
// again once it is staged.
//
// A worker's life is cut into windows, some for each turn of its loop, and it runs at full speed to
// the window that is stepped through: a step costs two switches, on some virtual machines 80 us. By
// default every 41st instruction of a window is a kill point, beginning anywhere; with
// COPPICE_EVERY_INSTRUCTION=1 all of them are.

#include "slot_memory.hpp"
#include "support/loopback.hpp"

#include <coppice/runtime/os/tcp_counters.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <poll.h>
#include <random>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace coppice;
using namespace coppice::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int slowed_down = 10; ///< so many times the instructions
#else
constexpr int slowed_down = 1;
#endif
constexpr int most_requests = 10;
constexpr int window_mark = SIGUSR1; ///< what a traced worker stops with between two windows

/// Shared with the workers.
struct tally {
  std::array<std::atomic<int>, most_requests> runs;
};

struct scenario {
  const char* name;
  std::string requests; ///< "G1", "P2", ... each with a line end
  bool half_closes = false;
  int send_buffer = 0;
  std::size_t receive = 4096; ///< most bytes of one recv
  bool answers_together =
      false; ///< all requests that are there are answered before anything is sent
};

// ---- a service: one line is a request
//   Gn  an answer        Pn  one that must not be run twice
//   En  with a 1xx       Bn  the last one: the connection is closed behind it
//   Ln  an answer that exceeds the stage, written piece by piece
//   Sn  one that a small socket does not take at once

std::string answer_to(char kind, int n) {
  // Below what memcpy moves by one instruction that is stepped through byte by byte.
  const std::size_t size = kind == 'L' ? stage_size + 5000 : kind == 'S' ? 1900 : 300;
  std::string text = "answer " + std::to_string(n) + " ";
  text.append(size, static_cast<char>('a' + n));
  return text + "\n";
}
std::string interim_of(int n) { return "continue " + std::to_string(n) + "\n"; }
std::string refusal_of(int n) { return "refused " + std::to_string(n) + "\n"; }

/// Answers are made before the service runs, so that what is stepped through is the protocol.
struct answers {
  std::array<std::string, most_requests> whole;
  std::array<std::string, most_requests> interim;
  std::array<std::string, most_requests> refusal;
  explicit answers(std::string_view requests) {
    for (std::size_t at = 0; at + 1 < requests.size(); at = requests.find('\n', at) + 1) {
      const int n = requests[at + 1] - '0';
      const auto i = static_cast<std::size_t>(n);
      whole[i] = answer_to(requests[at], n);
      interim[i] = interim_of(n);
      refusal[i] = refusal_of(n);
    }
  }
};

enum class served { all, failed };

class worker_of_one {
public:
  worker_of_one(int fd, lease_writer lease, const scenario& what, const answers& text,
                tally& counts, bool marked)
      : fd_{fd},
        lease_{lease},
        what_{what},
        text_{text},
        counts_{counts},
        marked_{marked} {}

  served run() {
    for (;;) {
      mark();
      if (lease_.state().phase == exchange_phase::abandoned) refuse();
      if (!what_.answers_together && !lease_.unsent().empty() && !flush()) return served::failed;
      if (lease_.state().phase == exchange_phase::closing) return close();
      if (answer_one()) continue;
      if (!lease_.unsent().empty() && !flush()) return served::failed;
      mark();
      const auto room = lease_.room();
      const auto n = ::recv(fd_, room.data(), std::min(room.size(), what_.receive), MSG_DONTWAIT);
      if (n > 0) {
        lease_.received(static_cast<std::size_t>(n));
      } else if (n == 0) {
        return served::all;
      } else if (errno == EAGAIN) {
        if (!what_.half_closes && lease_.input().empty()) return served::all;
        wait_for(POLLIN);
      } else {
        return served::failed;
      }
    }
  }

private:
  /// Ends a window.
  void mark() const {
    if (marked_) ::kill(self_, window_mark);
  }

  void wait_for(short what) const {
    pollfd one{fd_, what, 0};
    ::poll(&one, 1, 5000);
  }

  bool flush() {
    while (!lease_.unsent().empty()) {
      mark();
      const auto left = lease_.unsent();
      const auto n = ::send(fd_, left.data(), left.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n >= 0)
        lease_.sent(static_cast<std::size_t>(n));
      else if (errno == EAGAIN)
        wait_for(POLLOUT);
      else
        return false;
    }
    return true;
  }

  bool answer_one() {
    const auto input = lease_.input();
    const auto end = input.find('\n');
    if (end == std::string_view::npos) return false;
    const char kind = input[0];
    const auto n = static_cast<std::size_t>(input[1] - '0');
    if (kind == 'E' && !lease_.state().interim_sent && !lease_.interim(text_.interim[n]))
      return false;
    mark();
    lease_.handling(kind != 'P');
    counts_.runs[n].fetch_add(1);
    const std::string_view answer = text_.whole[n];
    if (kind == 'L') {
      stream(end + 1, answer);
      return true;
    }
    mark();
    return lease_.reply(end + 1, {&answer, 1}, kind == 'B');
  }

  void stream(std::size_t consumed, std::string_view answer) {
    if (!flush()) return;
    const auto rest = std::string{lease_.input().substr(consumed)};
    lease_.expose(false);
    while (!answer.empty()) {
      const auto n = ::send(fd_, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0) {
        wait_for(POLLOUT);
        continue;
      }
      lease_.sent_past(static_cast<std::size_t>(n));
      answer.remove_prefix(static_cast<std::size_t>(n));
    }
    mark();
    (void)lease_.cover(rest, {});
  }

  void refuse() {
    const auto input = lease_.input();
    const auto n = static_cast<std::size_t>(input.size() > 1 ? input[1] - '0' : 0);
    const std::string_view answer = text_.refusal[n];
    (void)lease_.reply(input.size(), {&answer, 1}, true);
  }

  served close() {
    ::shutdown(fd_, SHUT_WR);
    char dropped[256];
    for (;;) {
      const auto n = ::recv(fd_, dropped, sizeof dropped, MSG_DONTWAIT);
      if (n == 0) return served::all;
      if (n < 0 && errno == EAGAIN)
        wait_for(POLLIN);
      else if (n < 0)
        return served::failed;
    }
  }

  int fd_;
  lease_writer lease_;
  const scenario& what_;
  const answers& text_;
  tally& counts_;
  bool marked_;
  pid_t self_ = ::getpid();
};

// ---- the client

class client {
public:
  client(const scenario& what, std::size_t expected) : expected_{expected} {
    const bool small = what.send_buffer > 0;
    auto pair =
        make_tcp_pair({.server_send = what.send_buffer, .client_receive = small ? 2304 : 0});
    server = std::move(pair.server);
    socket_ = std::move(pair.client);
    send_all(socket_, what.requests);
    if (what.half_closes) ::shutdown(socket_.get(), SHUT_WR);
  }
  ~client() {
    if (reader_.joinable()) finish();
  }
  /// After the fork: it starts a thread.
  void start_reading() {
    reader_ = std::thread{[this] { read(); }};
  }
  /// All that came until the server closed. The server's last descriptor is closed here.
  std::string finish() {
    ::shutdown(server.get(), SHUT_WR);
    reader_.join();
    return std::move(got_);
  }

  os::unique_fd server;
  bool was_reset = false;
  bool timed_out = false;

private:
  void read() {
    char buffer[8192];
    for (;;) {
      pollfd one{socket_.get(), POLLIN, 0};
      if (::poll(&one, 1, 10'000) != 1) {
        timed_out = true;
        return;
      }
      const auto n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (n < 0) was_reset = true;
      if (n <= 0) break;
      got_.append(buffer, static_cast<std::size_t>(n));
      // A client that was told it would be closed closes, too.
      if (got_.size() >= expected_) ::shutdown(socket_.get(), SHUT_WR);
    }
    ::shutdown(socket_.get(), SHUT_WR);
  }

  std::size_t expected_;
  os::unique_fd socket_;
  std::string got_;
  std::thread reader_;
};

// ---- the worker that is killed

enum class stopped { at_kill_point, at_window_end, at_exit };

/// Runs the traced child to the beginning of window `window`, and then `steps` instructions
/// further.
stopped step_to(pid_t child, int window, int steps) {
  int status = 0;
  const auto has_ended = [&] { // no assertion: this runs millions of times
    if (::waitpid(child, &status, 0) != child) throw std::runtime_error{"waitpid"};
    return !WIFSTOPPED(status);
  };
  if (has_ended()) return stopped::at_exit; // its first mark
  for (int i = 0; i < window; ++i) {
    ::ptrace(PTRACE_CONT, child, nullptr, nullptr);
    if (has_ended()) return stopped::at_exit;
  }
  for (int i = 0; i < steps; ++i) {
    ::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
    if (has_ended()) return stopped::at_exit;
    if (WSTOPSIG(status) == window_mark) return stopped::at_window_end;
  }
  return stopped::at_kill_point;
}

void kill_and_reap(pid_t child) {
  ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
  }
}

struct totals {
  long kill_points = 0;
  long run_again = 0;
  long completed = 0; ///< a staged answer was found sent in part, or not at all
  long found_sent = 0;
  long refused = 0;
  long cut = 0; ///< a streamed answer
};

lease_witness witness_of(int fd) {
  const auto now = os::read_tcp_counters(fd).value();
  return {now.taken(), now.written(), now.fin_sent, now.over};
}

std::string wanted(const scenario& what, const answers& text, int refused_at) {
  std::string all;
  for (std::size_t at = 0; at + 1 < what.requests.size(); at = what.requests.find('\n', at) + 1) {
    const auto n = static_cast<std::size_t>(what.requests[at + 1] - '0');
    if (what.requests[at] == 'E') all += text.interim[n];
    if (static_cast<int>(n) == refused_at) return all + text.refusal[n];
    all += text.whole[n];
    if (what.requests[at] == 'B') break;
  }
  return all;
}

class proof {
public:
  explicit proof(const scenario& what)
      : what_{what},
        text_{what.requests},
        counts_{static_cast<tally*>(::mmap(nullptr, sizeof(tally), PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_ANONYMOUS, -1, 0))} {
    REQUIRE(counts_ != MAP_FAILED);
  }
  ~proof() { ::munmap(counts_, sizeof(tally)); }

  /// False: the worker had ended before it got there. `end`: the window had.
  bool kill_at(int window, int steps, bool& end) {
    for (auto& n : counts_->runs) n = 0;
    client them{what_, wanted(what_, text_, -1).size()};
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      worker_of_one worker{them.server.get(),
                           lease_writer::take(memory_.slot(0), id_),
                           what_,
                           text_,
                           *counts_,
                           true};
      ::_exit(worker.run() == served::all ? 0 : 1);
    }
    them.start_reading();
    const auto where = step_to(child, window, steps);
    end = where != stopped::at_kill_point;
    const bool alive = where != stopped::at_exit;
    if (alive) kill_and_reap(child);
    INFO(what_.name << ": window " << window << ", instruction " << steps);
    recover(them);
    ++all.kill_points;
    return alive;
  }

  totals all;

private:
  void recover(client& them) {
    const auto head = memory_.reader.head(0).value();
    const auto before = lease_state::of(head.records[head.current & 1].state);
    const auto verdict =
        judge(head, id_, witness_of(them.server.get()), protection::request, blame::none, {});
    INFO("phase " << static_cast<int>(before.phase) << ": " << verdict.why);
    const bool mine = head.lease == id_ + 1;
    std::array<int, most_requests> runs{};
    for (std::size_t i = 0; i < runs.size(); ++i) runs[i] = counts_->runs[i];
    const std::uint64_t next_id = id_ + 1;
    if (verdict.fate == lease_fate::goes_on) {
      const auto carried = memory_.reader.carry(0, verdict).value();
      if (!carried.output.empty()) ++all.completed;
      const auto& record = head.records[head.current & 1];
      if (record.staged > 0 && carried.output.empty()) ++all.found_sent;
      REQUIRE(memory_.reader.put(1, next_id, carried));
    }
    int refused_at = -1;
    if (verdict.next.phase == exchange_phase::abandoned && verdict.fate == lease_fate::goes_on)
      refused_at = first_unanswered(head);
    bool went_well = true;
    if (verdict.fate == lease_fate::goes_on || verdict.fate == lease_fate::as_offered) {
      worker_of_one worker{them.server.get(),
                           lease_writer::take(memory_.slot(1), next_id),
                           what_,
                           text_,
                           *counts_,
                           false};
      went_well = worker.run() == served::all;
    }
    id_ += 2;
    const std::string got = them.finish();
    const std::string want = wanted(what_, text_, refused_at);
    CHECK_FALSE(them.timed_out);
    if (verdict.fate == lease_fate::reset) { // only what is streamed may be cut
      CHECK(before.phase == exchange_phase::streaming);
      REQUIRE(want.compare(0, got.size(), got) == 0);
      ++all.cut;
      return;
    }
    REQUIRE(went_well);
    REQUIRE(got == want);
    if (refused_at >= 0) ++all.refused;

    int twice = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      REQUIRE(counts_->runs[i] <= 2);
      if (counts_->runs[i] == 2) ++twice;
    }
    all.run_again += twice;
    const bool in_progress =
        before.phase == exchange_phase::handling || before.phase == exchange_phase::streaming;
    REQUIRE(twice <= (mine && in_progress && before.replayable ? 1 : 0));
  }

  /// Which request the record's in_off is the beginning of.
  int first_unanswered(const slot_head& head) const {
    const auto at = head.records[head.current & 1].in_off;
    return what_.requests[static_cast<std::size_t>(at) + 1] - '0';
  }

  const scenario& what_;
  answers text_;
  slot_memory memory_;
  tally* counts_;
  std::uint64_t id_ = 100;
};

/// Everybody on one processor: a step is then a switch there, and no wake-up of another one.
class on_one_processor {
public:
  on_one_processor() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~on_one_processor() { ::sched_setaffinity(0, sizeof before_, &before_); }

private:
  cpu_set_t before_;
};

void prove(const scenario& what) {
  const on_one_processor here;
  const bool all_of_them = std::getenv("COPPICE_EVERY_INSTRUCTION") != nullptr;
  const int stride = all_of_them ? 1 : 41 * slowed_down;
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  proof it{what};
  bool alive = true;
  int window = 0;
  for (; alive; ++window) {
    bool end = false;
    for (int steps = static_cast<int>(random() % static_cast<unsigned>(stride)); !end && alive;
         steps += stride)
      alive = it.kill_at(window, steps, end);
  }
  std::printf("%s: %d windows, %ld kill points, 0 wrong; run again %ld, completed %ld, found sent "
              "%ld, refused %ld, cut %ld\n",
              what.name, window, it.all.kill_points, it.all.run_again, it.all.completed,
              it.all.found_sent, it.all.refused, it.all.cut);
  CHECK(it.all.kill_points > 20);
}

} // namespace

TEST_CASE("killed at any instruction: one request after the other", "[every_instruction]") {
  prove({.name = "get", .requests = "G1\nG2\nG3\n", .receive = 3});
}

TEST_CASE("killed at any instruction: requests in pieces", "[every_instruction]") {
  prove({.name = "pieces", .requests = "G1...........\nG2.....\n", .receive = 5});
}

TEST_CASE("killed at any instruction: pipelined requests, answered together",
          "[every_instruction]") {
  prove({.name = "pipelined", .requests = "G1\nG2\nG3\nG4\n", .answers_together = true});
}

TEST_CASE("killed at any instruction: requests that must not be run twice", "[every_instruction]") {
  prove({.name = "post", .requests = "G1\nP2\nP3\n", .receive = 4});
}

TEST_CASE("killed at any instruction: a 1xx before the answer", "[every_instruction]") {
  prove({.name = "1xx", .requests = "E1\nE2\n"});
}

TEST_CASE("killed at any instruction: the server closes", "[every_instruction]") {
  prove({.name = "close", .requests = "G1\nB2\nG3\n"});
}

TEST_CASE("killed at any instruction: the client has closed its side", "[every_instruction]") {
  prove({.name = "half-closed", .requests = "G1\nG2\n", .half_closes = true, .receive = 4});
}

TEST_CASE("killed at any instruction: a socket that takes little at once", "[every_instruction]") {
  prove({.name = "partial",
         .requests = "S1\nS2\nS3\nS4\nG5\n",
         .send_buffer = 4608,
         .answers_together = true});
}

TEST_CASE("killed at any instruction: an answer that exceeds the stage", "[every_instruction]") {
  prove({.name = "streamed", .requests = "G1\nL2\nG3\n", .receive = 6});
}
