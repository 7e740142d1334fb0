// bench_relay: messages between pairs of workers, through the primary. Prints one line of JSON:
//
//   oneway    rate: messages received per second, over all pairs
//   pingpong  p50_us, p99_us: from an ask to its answer, one at a time per pair
//   both      hub_cpu_ns: processor time of the primary per message
//
// One pair is slots 2i-1, who sends, and 2i, who receives.
#include <CLI/CLI.hpp>
#include <coppice/coppice.hpp>

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fmt/core.h>
#include <sys/resource.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

struct settings {
  std::size_t size = 64;
  unsigned seconds = 3;
  bool pingpong = false;
  unsigned pairs = 1;
};

/// What one pair has seen: messages, and the time from the first to the last; or times of asks.
struct figures {
  std::uint64_t messages = 0;
  std::int64_t ns = 0;
  std::vector<std::uint32_t> times_ns{};
  MSGPACK_DEFINE(messages, ns, times_ns)
};

std::int64_t since(clock_type::time_point from) {
  return std::chrono::nanoseconds{clock_type::now() - from}.count();
}

// ---- one way

/// Counts until the sender says that it was the last one.
void receive(coppice::worker& self) {
  struct count {
    std::uint64_t messages = 0;
    clock_type::time_point first{};
  };
  const auto seen = std::make_shared<count>();
  self.on("m", [seen](const coppice::message&) {
    if (++seen->messages == 1) seen->first = clock_type::now();
  });
  self.on("end", [&self, seen](const coppice::message&) {
    self.send(0, "figures", figures{seen->messages, since(seen->first)});
  });
  self.on("ping",
          [&self](const coppice::message& m) { self.messages().reply_packed(m, m.payload()); });
}

/// As fast as there is room; after each batch the loop has its turn.
class pusher : public std::enable_shared_from_this<pusher> {
public:
  pusher(coppice::worker& self, const settings& with)
      : self_{self},
        to_{"peer/" + std::to_string(self.slot() + 1)},
        value_(with.size, 'v'),
        end_{clock_type::now() + std::chrono::seconds{with.seconds}} {}

  void push() {
    if (clock_type::now() >= end_) return finish();
    for (int i = 0; i < 1000; ++i)
      if (self_.send(to_, "m", value_) != coppice::send_result::sent)
        return self_.messages().on_room(to_, [me = shared_from_this()] { me->push(); });
    asio::post(self_.context(), [me = shared_from_this()] { me->push(); });
  }

private:
  void finish() {
    if (self_.send(to_, "end", 0) != coppice::send_result::sent)
      self_.messages().on_room(to_, [me = shared_from_this()] { me->finish(); });
  }

  coppice::worker& self_;
  coppice::address to_;
  std::string value_;
  clock_type::time_point end_;
};

// ---- ping-pong

asio::awaitable<void> ask_on(coppice::worker& self, settings with) {
  const coppice::address to{"peer/" + std::to_string(self.slot() + 1)};
  const std::string value(with.size, 'v');
  const auto start = clock_type::now();
  figures seen;
  while (since(start) < std::chrono::nanoseconds{std::chrono::seconds{with.seconds}}.count()) {
    const auto asked = clock_type::now();
    const auto got = co_await self.ask(to, "ping", value, 10s);
    if (!got) self.fail(std::string{to_string(got.error())});
    seen.times_ns.push_back(static_cast<std::uint32_t>(since(asked)));
  }
  seen.messages = 2 * seen.times_ns.size();
  seen.ns = since(start);
  self.send(0, "figures", seen);
}

void peer(coppice::worker& self, const settings& with) {
  if (self.slot() % 2 == 0) return receive(self);
  self.on("go", [&self, with](const coppice::message&) {
    if (with.pingpong)
      asio::co_spawn(self.context(), ask_on(self, with), asio::detached);
    else
      std::make_shared<pusher>(self, with)->push();
  });
}

// ---- the primary

double cpu_ns() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_usec) * 1e3;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

class referee {
public:
  explicit referee(const settings& with) : with_{with} {}

  void begin(coppice::messenger& out) {
    cpu_ = cpu_ns();
    for (unsigned pair = 0; pair < with_.pairs; ++pair)
      out.send("peer/" + std::to_string(2 * pair + 1), "go", 0);
  }
  void add(figures one) {
    messages_ += one.messages;
    rate_ += static_cast<double>(one.messages) * 1e9 / static_cast<double>(one.ns);
    times_.insert(times_.end(), one.times_ns.begin(), one.times_ns.end());
    if (++pairs_ < with_.pairs) return;
    report(cpu_ns() - cpu_);
    ::raise(SIGTERM);
  }

private:
  void report(double cpu) {
    const double hub = cpu / static_cast<double>(messages_);
    if (with_.pingpong) {
      std::sort(times_.begin(), times_.end());
      const auto at = [&](double part) {
        return times_[static_cast<std::size_t>(static_cast<double>(times_.size() - 1) * part)] /
               1e3;
      };
      fmt::print("{{\"p50_us\": {:.1f}, \"p99_us\": {:.1f}, \"hub_cpu_ns\": {:.0f}}}\n", at(0.5),
                 at(0.99), hub);
    } else {
      fmt::print("{{\"rate\": {:.0f}, \"hub_cpu_ns\": {:.0f}}}\n", rate_, hub);
    }
    std::fflush(stdout);
  }

  settings with_;
  unsigned pairs_ = 0;
  std::uint64_t messages_ = 0;
  double rate_ = 0;
  double cpu_ = 0;
  std::vector<std::uint32_t> times_;
};

} // namespace

int main(int argc, char** argv) {
  settings with;
  std::string mode = "oneway";
  CLI::App app{"Messages between pairs of workers"};
  app.add_option("--size", with.size, "bytes of each message's value")
      ->check(CLI::Range(1, 8 << 20));
  app.add_option("--seconds", with.seconds, "how long")->check(CLI::Range(1, 3600));
  app.add_option("--mode", mode, "oneway or pingpong")
      ->check(CLI::IsMember({"oneway", "pingpong"}));
  app.add_option("--pairs", with.pairs, "pairs of workers")->check(CLI::Range(1, 500));
  CLI11_PARSE(app, argc, argv);
  with.pingpong = mode == "pingpong";
  const auto judge = std::make_shared<referee>(with);
  // The last worker that is ready says so to the primary: then all are.
  return coppice::run(
      argc, argv,
      {.children = {coppice::pool("peer", [with](coppice::worker& self) { peer(self, with); })
                        .instances(2 * with.pairs),
                    coppice::pool("starter",
                                  [](coppice::worker& self) { self.send(0, "all up", 0); })
                        .instances(1)},
       .verbosity = coppice::log_level::warn,
       .on_message = [judge](const coppice::message& m, coppice::messenger& out) {
         if (m.type() == "all up") judge->begin(out);
         if (m.type() == "figures") judge->add(m.as<figures>());
       }});
}
