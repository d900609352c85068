using System.Buffers;
using System.Text;
using Penstock.Gateway.Wire.Anthropic;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.Anthropic;

public sealed class AnthropicListsTests
{
    [Fact]
    public void A_count_is_one_number()
    {
        var output = new ArrayBufferWriter<byte>();
        AnthropicLists.WriteCount(42, output);

        Assert.Equal("""{"input_tokens":42}""", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Models_are_listed_on_one_page()
    {
        var output = new ArrayBufferWriter<byte>();
        AnthropicLists.WriteModels([new ListedModel("fast", "fast", DateTimeOffset.UnixEpoch), new ListedModel("gpt-4o", "GPT-4o", new DateTimeOffset(2024, 5, 13, 2, 0, 0, TimeSpan.FromHours(2)))], output);

        Assert.Equal(
            """{"data":[{"type":"model","id":"fast","display_name":"fast","created_at":"1970-01-01T00:00:00Z"},{"type":"model","id":"gpt-4o","display_name":"GPT-4o","created_at":"2024-05-13T00:00:00Z"}],"has_more":false,"first_id":"fast","last_id":"gpt-4o"}""",
            Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void A_list_without_models_has_no_ends()
    {
        var output = new ArrayBufferWriter<byte>();
        AnthropicLists.WriteModels([], output);

        Assert.Equal("""{"data":[],"has_more":false,"first_id":null,"last_id":null}""", Encoding.UTF8.GetString(output.WrittenSpan));
    }
}
