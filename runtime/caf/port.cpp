#include <coppice/runtime/caf/port.hpp>

#include <caf/message.hpp>
#include <caf/message_view.hpp>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>
#include <typeinfo>

namespace coppice::port {
namespace {

std::string readable(const std::type_info& type) {
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> name{
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free};
  return status == 0 ? name.get() : type.name();
}

std::string text_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

/// An answer only if one is awaited: CAF would send the error of a plain message back to its sender
/// as a message, which ends an actor that does not expect it.
caf::result<caf::message> report_unknown(caf::scheduled_actor* self, caf::message_view& unknown) {
  const caf::type_erased_tuple& content = unknown.content();
  std::string types;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::type_info* type = content.type(i).second;
    types += (i == 0 ? "" : ", ") + (type != nullptr ? readable(*type) : "a type of CAF");
  }
  caf::aout(self) << self->name() << " " << self->id() << " does not know the message " << types
                  << std::endl;
  if (self->current_message_id().is_request()) return caf::sec::unexpected_message;
  return caf::message{};
}

caf::error report_exception(caf::scheduled_actor* self, std::exception_ptr& thrown) {
  std::string text = text_of(thrown);
  caf::aout(self) << self->name() << " " << self->id() << " failed: " << text << std::endl;
  return failed(std::move(text));
}

} // namespace

void prepare(caf::event_based_actor* self) {
  self->set_exception_handler(report_exception);
  self->set_default_handler(report_unknown);
}

std::string reason_text(const caf::error& why) {
  if (!why || why == caf::exit_reason::normal) return {};
  if (const caf::message& context = why.context(); context.match_elements<std::string>())
    return context.get_as<std::string>(0);
  if (why.category() == caf::atom("exit"))
    return to_string(static_cast<caf::exit_reason>(why.code()));
  return to_string(why);
}

} // namespace coppice::port
