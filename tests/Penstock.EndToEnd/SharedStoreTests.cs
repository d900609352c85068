using System.Net;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd;

/// <summary>Two servers on one DynamoDB are one Penstock: its keys, its caps and its books are the same at either.</summary>
public sealed class SharedStoreTests : SharedPlatform
{
    [Fact]
    public async Task A_cap_holds_over_both_and_both_show_the_same_books()
    {
        const decimal cap = 0.001m;
        var (_, key) = await Admins[0].NewKeyAsync("ai:complete");
        await Admins[1].JsonAsync(HttpMethod.Put, "/v1/usage/budget", $$"""{"scope":"project","name":"default","period":"month","limit":{{cap}}}""");
        using var first = Admins[0].With(key);
        using var second = Admins[1].With(key);

        var statuses = await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            using var answer = await (i % 2 == 0 ? first : second).PostAsync("/v1/chat/completions", """{"model":"gpt-4o-mini","max_tokens":200,"messages":[{"role":"user","content":"hi"}]}""");
            return answer.StatusCode;
        }));

        Assert.All(statuses, status => Assert.True(status is HttpStatusCode.OK or HttpStatusCode.PaymentRequired, $"{status}"));
        Assert.Contains(HttpStatusCode.OK, statuses);
        var (here, there) = (await Admins[0].GetAsync("/v1/usage"), await Admins[1].GetAsync("/v1/usage"));
        var (spent, requests) = (here.GetProperty("totalCost").GetDecimal(), here.GetProperty("requests").GetInt64());
        Assert.Equal((spent, requests), (there.GetProperty("totalCost").GetDecimal(), there.GetProperty("requests").GetInt64()));
        Assert.Equal(statuses.Count(status => status == HttpStatusCode.OK), requests);
        Assert.Contains(HttpStatusCode.PaymentRequired, statuses);
        Assert.InRange(spent, 0.000001m, cap);
    }

    [Fact]
    public async Task A_key_of_one_works_at_the_other_and_dies_there_too()
    {
        var (id, key) = await Admins[0].NewKeyAsync("ai:complete");
        using var client = Admins[1].With(key);
        using (var answer = await client.PostAsync("/v1/complete", Samples.Body("/v1/complete"))) Assert.Equal(HttpStatusCode.OK, answer.StatusCode);

        await Admins[0].JsonAsync(HttpMethod.Delete, $"/v1/auth/keys/{id}");

        await Wait.UntilAsync(
            async () =>
            {
                using var answer = await client.PostAsync("/v1/complete", Samples.Body("/v1/complete"));
                return answer.StatusCode == HttpStatusCode.Unauthorized;
            },
            TimeSpan.FromSeconds(6),
            () => "the revoked key is refused at the other server");
    }
}
