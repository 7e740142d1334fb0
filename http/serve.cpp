#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <coppice/http/serve.hpp>
#include <coppice/http/service.hpp>
#include <coppice/http/session.hpp>
#include <coppice/http/transport.hpp>
#include <coppice/runtime/worker/worker.hpp>

namespace coppice::http {
namespace {

/// A session on a leased connection: each is the other's user.
class leased_session final : public connection_user, private transport {
public:
  leased_session(leased_connection& connection, std::shared_ptr<service> shared)
      : connection_{connection},
        session_{*this, std::move(shared)} {}

  void on_input(leased_connection&) override { session_.on_input(); }
  void on_flushed(leased_connection&) override { session_.on_flushed(); }
  void on_timeout(leased_connection&) override { session_.on_timeout(); }
  void on_drain(leased_connection&) override { session_.on_drain(); }
  void on_abandoned(leased_connection&, abandoned_why why) override { session_.on_abandoned(why); }
  void on_gone(leased_connection&, std::error_code) override { session_.on_gone(); }

private:
  std::string_view input() const override { return connection_.input(); }
  bool input_ended() const override { return connection_.input_ended(); }
  void pause_input() override { connection_.pause_input(); }
  void resume_input() override { connection_.resume_input(); }
  void reply(std::size_t n, std::span<const std::string_view> answer, bool last) override {
    connection_.reply(n, answer, last);
  }
  bool interim_sent() const override { return connection_.interim_sent(); }
  void interim(std::string_view answer) override { connection_.interim(answer); }
  void begin_stream() override { connection_.begin_stream(); }
  void consume(std::size_t n) override { connection_.consume(n); }
  void write(std::span<const std::string_view> pieces) override { connection_.write(pieces); }
  void end_stream() override { connection_.end_stream(); }
  std::size_t unsent() const override { return connection_.unsent(); }
  void close(close_mode how) override { connection_.close(how); }
  bool closed() const override { return connection_.closed(); }
  void replayable(bool yes) override { connection_.replayable(yes); }
  unsigned attempt() const override { return connection_.attempt(); }
  void set_deadline(std::optional<std::chrono::milliseconds> from_now) override {
    connection_.set_deadline(from_now);
  }

  leased_connection& connection_;
  session session_; ///< last: it uses what is above
};

} // namespace

handler spawn_each(worker& where, std::function<asio::awaitable<response>(request)> coroutine) {
  return {nullptr, [&where, coroutine = std::move(coroutine)](request asked, responder answer) {
            asio::co_spawn(where.get_executor(), coroutine(std::move(asked)),
                           [answer = std::move(answer)](const std::exception_ptr& thrown,
                                                        response made) mutable {
                             if (thrown) {
                               answer.fail(thrown);
                             } else {
                               answer.send(std::move(made));
                             }
                           });
          }};
}

void serve(worker& self, handler how, options choices) {
  auto shared = std::make_shared<service>(service{
      .how = std::move(how),
      .choices = std::move(choices),
      .log = self.log(),
      .later = [&loop =
                    self.context()](std::function<void()> f) { asio::post(loop, std::move(f)); },
      .fail = [&self](std::string why) { self.retire_after_failure(std::move(why)); },
  });
  self.on_connection(
      [shared = std::move(shared)](leased_connection& connection) {
        return std::make_unique<leased_session>(connection, shared);
      },
      protection::request);
}

} // namespace coppice::http
