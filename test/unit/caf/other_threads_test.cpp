// How other threads reach actors.
#include "support/catch.hpp"
#include "unit/caf/loop_fixture.hpp"

#include <asio/post.hpp>
#include <thread>
#include <vector>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

namespace {

constexpr int senders = 4;
constexpr int each_sends = 5000;

/// Checks that the numbers of each sender come in order.
struct in_order {
  caf::event_based_actor* self;
  std::vector<int>& next;
  bool& ordered;
  caf::behavior make_behavior() {
    return {[this](const number& n) {
      int& expected = next[static_cast<std::size_t>(n.value / each_sends)];
      ordered = ordered && n.value % each_sends == expected;
      ++expected;
    }};
  }
};

struct result_of_senders {
  std::vector<int> next = std::vector<int>(senders);
  bool ordered = true;
  [[nodiscard]] bool complete() const { return next == std::vector<int>(senders, each_sends); }
};

template <class Send>
std::vector<std::thread> start_senders(Send send) {
  std::vector<std::thread> threads;
  for (int s = 0; s < senders; ++s)
    threads.emplace_back([s, send] {
      for (int i = 0; i < each_sends; ++i) send(number{s * each_sends + i});
    });
  return threads;
}

} // namespace

TEST_CASE("other threads post to the loop, which sends") {
  loop_fixture f;
  result_of_senders r;
  auto to = port::spawn_state<in_order>(f.actors.system(), std::ref(r.next), std::ref(r.ordered));
  auto threads =
      start_senders([&](number n) { asio::post(f.io, [&f, &to, n] { f.actors.deliver(to, n); }); });
  CHECK(f.run_until([&] { return r.complete(); }));
  for (auto& t : threads) t.join();
  CHECK(r.ordered);
}

// CAF's mailbox is lock-free and its library is not built for ThreadSanitizer, which therefore
// takes each message between threads for a race.
#ifndef __SANITIZE_THREAD__

TEST_CASE("other threads may send directly, as CAF's own do") {
  loop_fixture f;
  result_of_senders r;
  auto to = port::spawn_state<in_order>(f.actors.system(), std::ref(r.next), std::ref(r.ordered));
  auto threads = start_senders([&](number n) { caf::anon_send(to, n); });
  CHECK(f.run_until([&] { return r.complete(); }));
  for (auto& t : threads) t.join();
  CHECK(r.ordered);
}

TEST_CASE("the clock takes delayed messages and timeouts of other threads") {
  loop_fixture f;
  auto a = port::spawn_state<performer>(f.actors.system());
  std::atomic<int> came{0};
  std::vector<std::thread> threads;
  for (int s = 0; s < senders; ++s)
    threads.emplace_back([&, s] {
      for (int i = 0; i < 100; ++i)
        caf::delayed_anon_send(a, std::chrono::milliseconds{(s + i) % 5},
                               perform{[&](auto*) { ++came; }});
    });
  CHECK(f.run_until([&] { return came == senders * 100; }));
  for (auto& t : threads) t.join();
}

TEST_CASE("an actor that another thread starts runs on the loop thread") {
  loop_fixture f;
  std::thread::id ran_on;
  caf::actor a;
  std::thread other{[&] {
    a = port::spawn_state<performer>(f.actors.system());
    caf::anon_send(a, perform{[&](auto* self) {
                     ran_on = std::this_thread::get_id();
                     self->quit();
                   }});
  }};
  other.join();
  CHECK(f.actors.finish(10s));
  CHECK(ran_on == std::this_thread::get_id());
}

TEST_CASE("a detached actor has its own thread, and asks an actor of the loop with a timeout") {
  loop_fixture f;
  auto server = port::spawn_state<performer>(f.actors.system());
  std::atomic<bool> timed_out{false};
  f.actors.system().spawn<caf::detached>([&](caf::event_based_actor* self) {
    port::mail(self, perform{[](auto*) {}})
        .request(server, 1h)
        .then([&] { timed_out = false; }, [&](const caf::error&) {});
    port::mail(self, number{1})
        .request(server, 1ms)
        .then([](const number&) {},
              [&, self](const caf::error&) {
                timed_out = true;
                self->quit();
              });
  });
  CHECK(f.run_until([&] { return f.actors.running() == 1; }));
  CHECK(timed_out);
}

#endif
