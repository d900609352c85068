using Penstock.Emulators;
using Penstock.EndToEnd.Load;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>Answers of DynamoDB whose end comes after their beginning, as over any network. A server that waits for one on the thread that brings it waits for ever.</summary>
public sealed class SlowStoreTests
{
    [Fact]
    public async Task A_server_works_on_while_the_end_of_an_answer_is_on_its_way()
    {
        if (!DynamoEmulator.IsForThisMachine) Assert.Skip("The DynamoDB emulator is a program for Linux on x64.");
        await using var emulator = await DynamoEmulator.StartAsync();
        await using var slow = await DynamoMeter.StartAsync(emulator.Endpoint, lag: TimeSpan.FromMilliseconds(10));
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        var environment = new Dictionary<string, string?>(ServerOptions.Reaching(upstream))
        {
            ["PENSTOCK_STORE"] = "dynamodb", ["DYNAMODB_ENDPOINT"] = slow.Endpoint.ToString(), ["AWS_ACCESS_KEY_ID"] = "test", ["AWS_SECRET_ACCESS_KEY"] = "test",
        };
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Environment = environment });
        using var api = new Api(server.Address, await ApiContract.OfAsync(server.Address), server.Options.AdminKey);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            using var answer = await api.PostAsync("/v1/complete", Samples.Body("/v1/complete"));
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Wait.Token));
        }));

        Assert.Equal(8, (await api.GetAsync("/v1/usage")).GetProperty("requests").GetInt64());
        await server.StopAsync();
    }
}
