using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Penstock.Idempotency;

internal static class IdempotencySetup
{
    public static void AddIdempotency(this IServiceCollection services)
    {
        services.AddSingleton<Claims>();
        services.AddSingleton<IdempotentRequests>();
        services.AddHostedService<IdempotencySweeper>();
    }

    /// <summary>After the route is known and before it runs.</summary>
    public static void UseIdempotency(this IApplicationBuilder app)
    {
        var requests = app.ApplicationServices.GetRequiredService<IdempotentRequests>();
        app.Use(next => http => requests.InvokeAsync(http, next));
    }
}
